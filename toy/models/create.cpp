#include "toy/models/create.h"

#include <cstring>

namespace toy {

namespace {

class Creation final : public Visitor {
 public:
  Creation(Device& device, const Wanted& wanted) : device_(&device), wanted_(&wanted) {}

 protected:
  void parameter(const std::string& name, Tensor& value, const Shape& shape, Need need) override {
    if (need == Need::optional && !(*wanted_)(name)) return;
    const std::int64_t bytes = bytes_of(DType::F32, shape.elements());
    value = Tensor(device_->allocate(bytes, Lifetime::kept), shape, DType::F32);
    value.storage().name = name;
    device_->add_parameter(value);
    if (value.raw() != nullptr) std::memset(value.raw(), 0, static_cast<std::size_t>(bytes));
    value.set_requires_grad(true);
  }

 private:
  Device* device_;
  const Wanted* wanted_;
};

}  // namespace

std::unique_ptr<Model> new_model(const Metadata& metadata, Device& device, const Wanted& wanted) {
  Hyperparameters h(metadata, "new model");
  auto model = make_model(h);
  Creation creation(device, wanted);
  model->list(creation);
  model->loaded(device);
  return model;
}

}  // namespace toy
