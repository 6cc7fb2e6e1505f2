#include "toy/train/watch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "toy/train/config.h"

namespace toy {

namespace {

using Json = nlohmann::ordered_json;

struct Sums {
  double squares = 0, absolute = 0, sum = 0, least = INFINITY, most = -INFINITY;
  std::int64_t nans = 0, small = 0, count = 0;
};

Sums sums_of(std::span<const float> values) {
  Sums s;
  s.count = static_cast<std::int64_t>(values.size());
  for (const float value : values) {
    const auto x = static_cast<double>(value);
    if (std::isnan(x)) {
      ++s.nans;
      continue;
    }
    s.squares += x * x;
    s.absolute += std::abs(x);
    s.sum += x;
    s.least = std::min(s.least, x);
    s.most = std::max(s.most, x);
    s.small += std::abs(x) < 1e-6 ? 1 : 0;
  }
  return s;
}

Json shape_json(const Shape& shape) {
  Json json = Json::array();
  for (int axis = 0; axis < shape.rank(); ++axis) json.push_back(shape[axis]);
  return json;
}

std::vector<std::int64_t> histogram(std::span<const float> values, const Sums& s) {
  std::vector<std::int64_t> bins(32);
  const double width = (s.most - s.least) / 32;
  for (const float x : values) {
    if (std::isnan(x)) continue;
    const double place = width > 0 ? (static_cast<double>(x) - s.least) / width : 0;
    ++bins[static_cast<std::size_t>(std::clamp(place, 0.0, 31.0))];
  }
  return bins;
}

/// Layer of "blk.3.attn.q": 3; -1 without one.
int layer_of(std::string_view name) {
  if (!name.starts_with("blk.")) return -1;
  return std::atoi(std::string(name.substr(4)).c_str());
}

/// How many heads the columns of a value are; 0: they are not divided into heads.
std::int64_t heads_of(std::string_view name, const Sizes& sizes) {
  if (name.ends_with(".attn.q")) return sizes.H;
  return name.ends_with(".attn.k") || name.ends_with(".attn.v") ? sizes.K : 0;
}

/// The norm of each head [H] of rows [T, H d].
std::vector<double> head_norms(std::span<const float> rows, std::size_t width, std::size_t heads) {
  std::vector<double> norms(heads);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto x = static_cast<double>(rows[i]);
    if (!std::isnan(x)) norms[i % width / (width / heads)] += x * x;
  }
  for (double& norm : norms) norm = std::sqrt(norm);
  return norms;
}

struct Moved {
  double cosine, distance;
};

Moved moved(std::span<const float> before, std::span<const float> now) {
  double dot = 0, a = 0, b = 0, d = 0;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const auto x = static_cast<double>(before[i]), y = static_cast<double>(now[i]);
    dot += x * y;
    a += x * x;
    b += y * y;
    d += (x - y) * (x - y);
  }
  return {a > 0 && b > 0 ? dot / std::sqrt(a * b) : 0, std::sqrt(d)};
}

void log_rows(EventWriter& log, const Training& training, const Parameter& p, const Tensor& before) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(training.model().sizes().V));
  const std::int64_t seen = std::min<std::int64_t>(training.split(), 1 << 20);
  for (std::int64_t i = 0; i < seen; ++i) ++counts[static_cast<std::size_t>(training.tokens()[i])];
  std::vector<std::int32_t> ids(counts.size());
  std::iota(ids.begin(), ids.end(), 0);
  const std::size_t some = std::min<std::size_t>(8, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(some), ids.end(),
                    [&](std::int32_t a, std::int32_t b) {
                      const auto x = counts[static_cast<std::size_t>(a)], y = counts[static_cast<std::size_t>(b)];
                      return x != y ? x > y : a < b;
                    });
  for (std::size_t i = 0; i < some; ++i) {
    const Moved m = moved(before.slice(ids[i], 1).values<float>(), p.value.slice(ids[i], 1).values<float>());
    log.write({{"kind", "drift"},
               {"step", training.steps()},
               {"phase", "train"},
               {"param", p.name},
               {"cos_to_init", m.cosine},
               {"l2_to_init", m.distance},
               {"token_id", ids[i]},
               {"freq", static_cast<double>(counts[static_cast<std::size_t>(ids[i])]) / static_cast<double>(seen)}});
  }
}

}  // namespace

void log_gradient(EventWriter& log, std::int64_t step, std::string_view parameter, const Tensor& gradient) {
  const Sums s = sums_of(gradient.values<float>());
  log.write({{"kind", "grad"},
             {"step", step},
             {"phase", "train"},
             {"param", parameter},
             {"shape", shape_json(gradient.shape())},
             {"l2", std::sqrt(s.squares)},
             {"abs_mean", s.absolute / static_cast<double>(std::max<std::int64_t>(1, s.count))},
             {"nan_count", s.nans}});
}

void log_tap(EventWriter& log, std::int64_t step, std::string_view name, const Tensor& value, const Sizes& sizes) {
  if (value.dtype() != DType::F32) return;
  const auto values = value.values<float>();
  const Sums s = sums_of(values);
  const auto count = static_cast<double>(std::max<std::int64_t>(1, s.count));
  Json event{{"kind", "tap"},
             {"step", step},
             {"phase", "train"},
             {"region", name},
             {"shape", shape_json(value.shape())},
             {"dtype", "f32"},
             {"l2", std::sqrt(s.squares)},
             {"min", s.least},
             {"max", s.most},
             {"mean", s.sum / count},
             {"abs_mean", s.absolute / count},
             {"sparsity", static_cast<double>(s.small) / count},
             {"nan_count", s.nans},
             {"histogram", histogram(values, s)}};
  if (const int layer = layer_of(name); layer >= 0) event["layer"] = layer;
  if (const std::int64_t heads = heads_of(name, sizes); heads > 0) {
    event["per_head_l2"] = head_norms(values, static_cast<std::size_t>(value.width()), static_cast<std::size_t>(heads));
  }
  log.write(std::move(event));
}

void log_op_timing(EventWriter& log, std::int64_t step, const OpSeconds& seconds) {
  Json buckets = Json::object();
  double sum = 0;
  for (const auto& [op, taken] : seconds) {
    buckets[std::string(op)] = std::llround(1e6 * taken);
    sum += taken;
  }
  log.write({{"kind", "op_timing"},
             {"step", step},
             {"phase", "train"},
             {"compute_us", std::llround(1e6 * sum)},
             {"buckets", std::move(buckets)}});
}

void log_drift(EventWriter& log, const Training& training) {
  const std::vector<Parameter> now = parameters(training.model());
  for (std::size_t i = 0; i < now.size(); ++i) {
    const Tensor before(training.device().allocate(now[i].value.bytes()), now[i].value.shape(), DType::F32);
    first_values({now[i].name, before}, i, training.metadata(), training.options().seed);
    const Moved m = moved(before.values<float>(), now[i].value.values<float>());
    log.write({{"kind", "drift"},
               {"step", training.steps()},
               {"phase", "train"},
               {"param", now[i].name},
               {"cos_to_init", m.cosine},
               {"l2_to_init", m.distance}});
    if (now[i].name == "token_embd.weight") log_rows(log, training, now[i], before);
  }
}

}  // namespace toy
