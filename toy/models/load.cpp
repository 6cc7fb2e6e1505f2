#include "toy/models/load.h"

#include <cstring>

#include "toy/tensor/ops/dequantize.h"

namespace toy {

namespace {

Tensor copy_of(const Tensor& t) {
  auto storage = t.device().allocate(t.bytes(), Lifetime::kept);
  storage->name = t.storage().name;
  if (storage->data != nullptr) std::memcpy(storage->data, t.raw(), static_cast<std::size_t>(t.bytes()));
  return {std::move(storage), t.shape(), t.dtype()};
}

/// F32 rows of their own, wanting a gradient.
Tensor leaf_of(const Tensor& t) {
  Tensor leaf({t.device().allocate(4 * t.shape().elements(), Lifetime::kept)}, t.shape(), DType::F32);
  leaf.storage().name = t.storage().name;
  const std::int64_t row = bytes_of(t.dtype(), t.width());
  for (std::int64_t n = 0; n < t.rows(); ++n) {
    dequantize_row(t.dtype(), t.raw() + n * row,
                   std::span<float>(leaf.data<float>() + n * t.width(), static_cast<std::size_t>(t.width())));
  }
  leaf.set_requires_grad(true);
  return leaf;
}

}  // namespace

std::unique_ptr<Model> load_model(const GgufFile& file, Device& device, Use use) {
  Hyperparameters h(file);
  auto model = make_model(h);
  for (const ParameterSource& p : match_parameters(*model, h)) {
    const Tensor whole =
        Tensor::over(device, p.tensor->shape, p.tensor->dtype, file.data(*p.tensor), file.mapping(*p.tensor));
    whole.storage().name = p.name;
    whole.storage().mapped_file = true;
    const Tensor part = whole.slice(p.begin, p.shape[0]);
    if (use == Use::training && !model->constant(p.name)) {
      *p.parameter = leaf_of(part);
      continue;
    }
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
