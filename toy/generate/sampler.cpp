#include "toy/generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "toy/tensor/error.h"

namespace toy {

namespace {

using Candidate = std::pair<float, std::int32_t>;  // logit, token

bool before(const Candidate& a, const Candidate& b) {
  return a.first > b.first || (a.first == b.first && a.second < b.second);
}

/// Candidates in descending order, sorted only as far as they are looked at: most draws end among few tokens.
class Descending {
 public:
  explicit Descending(std::span<Candidate> all) : all_(all) {}

  const Candidate& operator[](std::size_t i) {
    if (i >= sorted_) {
      const std::size_t end = std::min(all_.size(), std::max(i + 1, std::max<std::size_t>(64, 2 * sorted_)));
      const auto at = [&](std::size_t place) { return all_.begin() + static_cast<std::ptrdiff_t>(place); };
      std::nth_element(at(sorted_), at(end), all_.end(), before);
      std::sort(at(sorted_), at(end), before);
      sorted_ = end;
    }
    return all_[i];
  }

 private:
  std::span<Candidate> all_;
  std::size_t sorted_ = 0;
};

}  // namespace

Sampler::Sampler(const SamplingOptions& options) : options_(options), random_(options.seed) {
  if (!std::isfinite(options.temperature)) refuse("temperature: expected a number, found {}", options.temperature);
  if (options.top_k < 0) refuse("top-k: expected 0 or more, found {}", options.top_k);
  if (!(options.top_p > 0 && options.top_p <= 1))
    refuse("top-p: expected more than 0 and at most 1, found {}", options.top_p);
  if (!(options.min_p >= 0 && options.min_p <= 1)) refuse("min-p: expected 0 to 1, found {}", options.min_p);
}

std::int32_t Sampler::operator()(std::span<const float> logits) {
  if (logits.empty()) fail("sampler: there are no logits");
  if (options_.temperature <= 0) return most_likely(logits);
  candidates_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!std::isnan(logits[i])) candidates_.emplace_back(logits[i], static_cast<std::int32_t>(i));
  }
  if (candidates_.empty()) return 0;
  Descending candidates(candidates_);
  std::size_t count = candidates_.size();
  if (options_.top_k > 0) count = std::min(count, static_cast<std::size_t>(options_.top_k));
  const Candidate best = candidates[0];
  if (std::isinf(best.first)) return best.second;
  const auto weight = [&](const Candidate& c) {
    return static_cast<double>(std::exp((c.first - best.first) / options_.temperature));
  };
  if (count < candidates_.size()) (void)candidates[count - 1];  // the first `count` are the top-k now
  double kept = 0;
  for (const Candidate& c : std::span(candidates_).first(count)) kept += weight(c);
  if (options_.top_p < 1 || options_.min_p > 0) {
    const double least = static_cast<double>(options_.min_p), enough = static_cast<double>(options_.top_p) * kept;
    const std::size_t most = count;
    kept = weight(best);
    for (count = 1; count < most && kept < enough; ++count) {
      const double p = weight(candidates[count]);
      if (p < least) break;
      kept += p;
    }
  }
  double left = random_.uniform() * kept;
  for (std::size_t i = 0; i < count; ++i) {
    left -= weight(candidates[i]);
    if (left < 0) return candidates[i].second;
  }
  return candidates[count - 1].second;
}

std::int32_t most_likely(std::span<const float> logits) {
  if (logits.empty()) fail("most_likely: there are no logits");
  std::size_t best = 0;
  for (std::size_t i = 1; i < logits.size(); ++i) {
    if (logits[i] > logits[best] || std::isnan(logits[best])) best = i;
  }
  return static_cast<std::int32_t>(best);
}

std::vector<std::pair<float, std::int32_t>> largest(std::span<const float> values, int k) {
  if (k < 0) fail("largest: expected 0 or more values, found {}", k);
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
