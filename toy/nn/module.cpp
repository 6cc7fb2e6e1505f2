#include "toy/nn/module.h"

#include <fmt/format.h>

namespace toy {

void Visitor::operator()(std::string_view name, Tensor& value, Shape shape, Need need) {
  parameter(prefix_ + std::string(name), value, shape, need);
}

void Visitor::operator()(std::string_view name, Module& module) {
  const std::string outer = prefix_;
  if (!name.empty()) prefix_ += std::string(name) + ".";
  module.list(*this);
  prefix_ = outer;
}

void Visitor::operator()(std::string_view name, int index, Module& module) {
  (*this)(fmt::format("{}.{}", name, index), module);
}

namespace {

class Trained final : public Visitor {
 public:
  std::vector<Parameter> found;

 protected:
  void parameter(const std::string& name, Tensor& value, const Shape& /*shape*/, Need /*need*/) override {
    if (value && value.requires_grad()) found.push_back({name, value});
  }
};

}  // namespace

std::vector<Parameter> parameters(Module& module) {
  Trained trained;
  module.list(trained);
  return std::move(trained.found);
}

}  // namespace toy
