#include "toy/models/hyperparameters.h"

namespace toy {

RopeOptions Hyperparameters::rope(std::int64_t head_width, std::int64_t context) {
  RopeOptions o;
  o.width = count_or("rope.dimension_count", head_width, 1, std::int64_t{1} << 16);
  if (o.width > head_width) {
    fail("{}: {} = {} is more than the head width {} (from {})", origin_, key("rope.dimension_count"), o.width,
         head_width, str());
  }
  if (o.width % 2 != 0) {
    fail("{}: {}: expected an even number, found {}", origin_, key("rope.dimension_count"), o.width);
  }
  o.base = static_cast<double>(number_or("rope.freq_base", 10000, 1e-3F, 1e30F));
  const std::string kind = text_or("rope.scaling.type", "linear");
  if (kind == "none") return o;
  if (kind != "linear" && kind != "yarn") {
    fail("{}: {}: expected none, linear or yarn, found '{}'", origin_, key("rope.scaling.type"), kind);
  }
  const float factor = number_or("rope.scaling.factor", number_or("rope.scale_linear", 0, 0, 1e6F), 0, 1e6F);
  if (factor > 0) o.factor = static_cast<double>(factor);
  if (kind == "linear") return o;
  Yarn yarn;
  yarn.original_context =
      static_cast<double>(count_or("rope.scaling.original_context_length", context, 1, std::int64_t{1} << 31));
  yarn.beta_fast = static_cast<double>(number_or("rope.scaling.yarn_beta_fast", 32, 1e-3F, 1e6F));
  yarn.beta_slow = static_cast<double>(number_or("rope.scaling.yarn_beta_slow", 1, 1e-3F, 1e6F));
  const float extrapolation = number_or("rope.scaling.yarn_ext_factor", -1, -1, 1e3F);
  if (extrapolation >= 0) yarn.extrapolation = static_cast<double>(extrapolation);
  yarn.attention_factor = static_cast<double>(number_or("rope.scaling.attn_factor", 1, 1e-6F, 1e6F)) *
                          static_cast<double>(number_or("rope.scaling.yarn_attn_factor", 1, 1e-6F, 1e6F));
  o.yarn = yarn;
  return o;
}

}  // namespace toy
