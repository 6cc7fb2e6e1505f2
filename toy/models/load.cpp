#include "toy/models/load.h"

#include <cstring>

namespace toy {

namespace {

Tensor copy_of(const Tensor& t) {
  auto storage = t.device().allocate(t.bytes(), Lifetime::kept);
  storage->name = t.storage().name;
  if (storage->data != nullptr) std::memcpy(storage->data, t.raw(), static_cast<std::size_t>(t.bytes()));
  return {std::move(storage), t.shape(), t.dtype()};
}

}  // namespace

std::unique_ptr<Model> load_model(const GgufFile& file, Device& device) {
  Hyperparameters h(file);
  auto model = make_model(h);
  for (const ParameterSource& p : match_parameters(*model, h)) {
    const Tensor whole =
        Tensor::over(device, p.tensor->shape, p.tensor->dtype, file.data(*p.tensor), file.mapping(*p.tensor));
    whole.storage().name = p.name;
    whole.storage().mapped_file = true;
    const Tensor part = whole.slice(p.begin, p.shape[0]);
    // Vectors are copied: a file may align them to single bytes.
    *p.parameter = part.shape().rank() == 1 ? copy_of(part) : device.prepare(part);
  }
  model->loaded(device);
  return model;
}

std::unique_ptr<Model> trace_model(const GgufFile& file, TraceDevice& device) {
  Hyperparameters h(file);
  auto model = make_model(h);
  for (const ParameterSource& p : match_parameters(*model, h)) {
    *p.parameter = device.parameter(p.name, p.shape, p.tensor->dtype);
  }
  model->loaded(device);
  return model;
}

}  // namespace toy
