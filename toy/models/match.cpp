#include "toy/models/match.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "toy/io/quote.h"
#include "toy/models/file_kind.h"
#include "toy/tensor/ops/dequantize.h"

namespace toy {

namespace {

/// Names, places and expected shapes of a model's parameters.
class Listing final : public Visitor {
 public:
  struct Row {
    std::string name;
    Tensor* value;
    Shape shape;
    Need need;
  };
  std::vector<Row> rows;

 protected:
  void parameter(const std::string& name, Tensor& value, const Shape& shape, Need need) override {
    rows.push_back({name, &value, shape, need});
  }
};

/// Rows of a fused tensor, if the file has it.
ParameterSource find_in_fused(const Listing& listing, const Listing::Row& row, const Model& model,
                              const GgufFile& file) {
  for (const Fused& fused : model.fused()) {
    for (const std::string_view part : fused.parts) {
      const std::string whole = fused_name(row.name, part, fused.name);
      const TensorInfo* tensor = whole.empty() ? nullptr : file.find(whole);
      if (tensor == nullptr) continue;
      const bool fits = tensor->shape.rank() == row.shape.rank() &&
                        (row.shape.rank() == 1 || tensor->shape.width() == row.shape.width());
      std::int64_t begin = 0, total = 0;  // rows before this part, rows of all parts
      for (const Listing::Row& other : listing.rows) {
        const bool sibling = std::ranges::any_of(
            fused.parts, [&](std::string_view p) { return fused_name(other.name, p, fused.name) == whole; });
        if (!sibling) continue;
        if (other.value == row.value) begin = total;
        total += other.shape[0];
      }
      if (fits && total == tensor->shape[0]) return {row.value, row.name, row.shape, tensor, begin};
      fail("{}: tensor {}: expected {} rows of {} for {}, found {}", file.path().string(), whole, total,
           row.shape.rank() == 1 ? 1 : row.shape.width(), fmt::join(fused.parts, ", "), tensor->shape.str());
    }
  }
  return {};
}

void check_source(const ParameterSource& source, const Listing::Row& row, const Hyperparameters& h) {
  const std::string& path = h.origin();
  if (source.tensor->name == row.name && source.tensor->shape != row.shape) {
    fail("{}: tensor {}: expected shape {}, found {} (from {})", path, row.name, row.shape.str(),
         source.tensor->shape.str(), h.str());
  }
  if (row.shape.elements() == 0) fail("{}: tensor {}: no elements", path, row.name);
  if (!can_compute(source.tensor->dtype)) {
    fail("{}: tensor {}: type {} cannot be computed yet; known: F32, F16, BF16, Q8_0, Q4_0, Q6_K", path, row.name,
         name(source.tensor->dtype));
  }
  if (row.shape.rank() == 1 && source.tensor->dtype != DType::F32) {
    fail("{}: tensor {}: expected F32, found {}", path, row.name, name(source.tensor->dtype));
  }
}

}  // namespace

std::vector<ParameterSource> match_parameters(Model& model, const Hyperparameters& h) {
  Listing listing;
  model.list(listing);
  const GgufFile& file = h.file();
  std::vector<ParameterSource> sources;
  std::vector<std::string> missing;
  std::set<std::string_view> used;
  for (const Listing::Row& row : listing.rows) {
    ParameterSource source{row.value, row.name, row.shape, file.find(row.name), 0};
    if (source.tensor == nullptr) source = find_in_fused(listing, row, model, file);
    if (source.tensor == nullptr) {
      if (row.need == Need::required) missing.push_back(row.name);
      continue;
    }
    check_source(source, row, h);
    used.insert(source.tensor->name);
    sources.push_back(std::move(source));
  }
  std::vector<std::string_view> unexpected;
  for (const TensorInfo& t : file.tensors()) {
    if (!used.contains(t.name)) unexpected.push_back(t.name);
  }
  // "3 missing ('a', ...)"
  const auto some = [](const auto& names, std::string_view what) {
    if (names.empty()) return std::string();
    return fmt::format("{} {} ({}{})", names.size(), what, in_quotes(names.front(), 28),
                       names.size() > 1 ? ", ..." : "");
  };
  if (!missing.empty() || !unexpected.empty()) {
    fail_in_short(file, fmt::format("tensors do not fit {0}: {1}{2}{3} ({0}.block_count = {4})", h.architecture(),
                                    some(missing, "missing"), missing.empty() || unexpected.empty() ? "" : ", ",
                                    some(unexpected, "unexpected"), model.sizes().L));
  }
  return sources;
}

}  // namespace toy
