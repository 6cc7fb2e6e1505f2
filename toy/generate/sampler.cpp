#include "toy/generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "toy/tensor/error.h"

namespace toy {

namespace {

bool before(const std::pair<float, std::int32_t>& a, const std::pair<float, std::int32_t>& b) {
  return a.first > b.first || (a.first == b.first && a.second < b.second);
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options) : options_(options), state_(options.seed) {
  if (!std::isfinite(options.temperature)) refuse("temperature: expected a number, found {}", options.temperature);
  if (options.top_k < 0) refuse("top-k: expected 0 or more, found {}", options.top_k);
  if (!(options.top_p > 0 && options.top_p <= 1)) refuse("top-p: expected (0, 1], found {}", options.top_p);
  if (!(options.min_p >= 0 && options.min_p <= 1)) refuse("min-p: expected [0, 1], found {}", options.min_p);
}

double Sampler::uniform() {
  // SplitMix64 (Steele, Lea & Flood 2014).
  std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

std::int32_t Sampler::operator()(std::span<const float> logits) {
  if (options_.temperature <= 0) return most_likely(logits);
  candidates_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!std::isnan(logits[i])) candidates_.emplace_back(logits[i], static_cast<std::int32_t>(i));
  }
  if (candidates_.empty()) return 0;
  std::ranges::sort(candidates_, before);
  if (options_.top_k > 0 && candidates_.size() > static_cast<std::size_t>(options_.top_k)) {
    candidates_.resize(static_cast<std::size_t>(options_.top_k));
  }
  const float top = candidates_.front().first;
  if (std::isinf(top)) return candidates_.front().second;
  double total = 0;
  for (auto& [value, id] : candidates_) {
    value = std::exp((value - top) / options_.temperature);
    total += static_cast<double>(value);
  }
  double kept = 0;
  std::size_t count = 0;
  while (count < candidates_.size()) {
    const double p = static_cast<double>(candidates_[count].first);
    if (count > 0 && (p < static_cast<double>(options_.min_p) || kept >= static_cast<double>(options_.top_p) * total)) {
      break;
    }
    kept += p;
    ++count;
  }
  double left = uniform() * kept;
  for (std::size_t i = 0; i < count; ++i) {
    left -= static_cast<double>(candidates_[i].first);
    if (left < 0) return candidates_[i].second;
  }
  return candidates_[count - 1].second;
}

std::int32_t most_likely(std::span<const float> logits) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < logits.size(); ++i) {
    if (logits[i] > logits[best] || std::isnan(logits[best])) best = i;
  }
  return static_cast<std::int32_t>(best);
}

std::vector<std::pair<float, std::int32_t>> largest(std::span<const float> values, int k) {
  std::vector<std::pair<float, std::int32_t>> all;
  all.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float value = std::isnan(values[i]) ? -std::numeric_limits<float>::infinity() : values[i];
    all.emplace_back(value, static_cast<std::int32_t>(i));
  }
  const auto count = std::min<std::ptrdiff_t>(k, static_cast<std::ptrdiff_t>(all.size()));
  std::partial_sort(all.begin(), all.begin() + count, all.end(), before);
  all.resize(static_cast<std::size_t>(count));
  return all;
}

}  // namespace toy
