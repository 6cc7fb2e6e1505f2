#include "toy/models/save.h"

#include <algorithm>
#include <vector>

#include "toy/tensor/ops/dequantize.h"

namespace toy {

namespace {

/// Rows of several parameters, one after the other.
TensorSource source_of(std::string name, std::vector<Tensor> parts, DType matrices) {
  Shape shape = parts.front().shape();
  std::int64_t rows = 0;
  for (const Tensor& part : parts) rows += part.shape()[0];
  const bool matrix = shape.rank() == 2;
  const Shape whole = matrix ? Shape{rows, shape.width()} : Shape{rows};
  const DType dtype = matrix ? matrices : DType::F32;
  return {std::move(name), whole, dtype, [parts = std::move(parts), dtype](ByteSink& sink) {
            for (const Tensor& part : parts) {
              std::vector<std::byte> row(static_cast<std::size_t>(bytes_of(dtype, part.width())));
              for (std::int64_t i = 0; i < part.rows(); ++i) {
                quantize_row(dtype,
                             std::span<const float>(part.data<float>() + i * part.width(),
                                                    static_cast<std::size_t>(part.width())),
                             row.data());
                sink.write(row);
              }
            }
          }};
}

}  // namespace

std::vector<TensorSource> tensor_sources(Model& model, DType matrices) {
  const std::vector<Parameter> values = all_parameters(model);
  std::vector<TensorSource> sources;
  std::vector<std::string> written;
  const std::vector<Fused> fused = model.fused();
  for (const Parameter& p : values) {
    if (std::ranges::find(written, p.name) != written.end()) continue;
    std::string name = p.name;
    std::vector<Tensor> parts;
    for (const Fused& f : fused) {
      name = f.saved ? fused_name(p.name, f.parts.front(), f.name) : std::string();
      if (name.empty()) continue;
      for (const Parameter& other : values) {
        const bool sibling = std::ranges::any_of(
            f.parts, [&](std::string_view part) { return fused_name(other.name, part, f.name) == name; });
        if (!sibling) continue;
        parts.push_back(other.value);
        written.push_back(other.name);
      }
      break;
    }
    if (parts.empty()) {
      name = p.name;
      parts = {p.value};
    }
    sources.push_back(source_of(std::move(name), std::move(parts), matrices));
  }
  return sources;
}

void save_model(const Place& place, Model& model, const Metadata& metadata, DType matrices, const FileCalls& calls) {
  write_gguf(place, metadata, tensor_sources(model, matrices), {}, calls);
}

}  // namespace toy
