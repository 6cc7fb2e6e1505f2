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

class Present final : public Visitor {
 public:
  std::vector<Parameter> found;

 protected:
  void parameter(const std::string& name, Tensor& value, const Shape& /*shape*/, Need /*need*/) override {
    if (value) found.push_back({name, value});
  }
};

}  // namespace

std::vector<Parameter> all_parameters(Module& module) {
  Present present;
  module.list(present);
  return std::move(present.found);
}

std::vector<Parameter> parameters(Module& module) {
  std::vector<Parameter> trained = all_parameters(module);
  std::erase_if(trained, [](const Parameter& p) { return !p.value.requires_grad(); });
  return trained;
}

}  // namespace toy
