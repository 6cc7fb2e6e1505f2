#include "toy/train/batches.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "toy/io/plural.h"
#include "toy/tensor/error.h"
#include "toy/tensor/random.h"

namespace toy {

WindowSampler::WindowSampler(std::int64_t begin, std::int64_t end, std::int64_t length, std::uint64_t seed)
    : begin_(begin), end_(end), length_(length), seed_(seed) {
  if (end - begin < length + 1) {
    refuse(
        "the corpus has {} {} to train on, and a context of {} needs at least {}; give more text or a smaller context",
        end - begin, plural(end - begin, "token"), length, length + 1);
  }
  begin_epoch();
}

void WindowSampler::begin_epoch() {
  Random random(seed_, static_cast<std::uint64_t>(state_.epoch));
  const std::int64_t spare = std::min(length_ - 1, end_ - begin_ - 1 - length_);
  state_.offset = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(spare) + 1));
  state_.position = 0;
  state_.shuffle.resize(static_cast<std::size_t>(windows(state_.offset)));
  std::iota(state_.shuffle.begin(), state_.shuffle.end(), 0);
  for (std::size_t i = state_.shuffle.size(); i > 1; --i) {
    std::swap(state_.shuffle[i - 1], state_.shuffle[random.below(i)]);
  }
}

std::int64_t WindowSampler::next() {
  if (state_.position == windows_per_epoch()) {
    ++state_.epoch;
    begin_epoch();
  }
  const std::int64_t window = state_.shuffle[static_cast<std::size_t>(state_.position++)];
  return begin_ + state_.offset + window * length_;
}

void WindowSampler::rewind(std::int64_t epoch, std::int64_t position) {
  if (epoch != state_.epoch) {
    state_.epoch = epoch;
    begin_epoch();
  }
  state_.position = position;
}

void WindowSampler::restore(State state) {
  const bool fits = state.offset >= 0 && state.offset < length_ && state.epoch >= 0 && state.position >= 0 &&
                    end_ - begin_ - 1 - state.offset >= length_ &&
                    state.shuffle.size() == static_cast<std::size_t>(windows(state.offset)) &&
                    state.position <= static_cast<std::int64_t>(state.shuffle.size());
  if (!fits) fail("the shuffle does not fit {} tokens in windows of {}", end_ - begin_, length_);
  std::vector<bool> seen(state.shuffle.size());
  for (const std::int32_t window : state.shuffle) {
    if (window < 0 || static_cast<std::size_t>(window) >= seen.size() || seen[static_cast<std::size_t>(window)]) {
      fail("the shuffle is no permutation of {} windows", seen.size());
    }
    seen[static_cast<std::size_t>(window)] = true;
  }
  state_ = std::move(state);
}

Examples examples(const TokenData& tokens, std::span<const std::int64_t> starts, std::int64_t length, bool documents) {
  Examples e;
  const auto total = starts.size() * static_cast<std::size_t>(length);
  e.batch.ids.reserve(total);
  e.targets.reserve(total);
  for (const std::int64_t start : starts) {
    std::vector<std::int64_t> cuts{start};
    if (documents) {
      for (const std::uint64_t cut : tokens.documents(start + 1, start + length)) {
        cuts.push_back(static_cast<std::int64_t>(cut));
      }
    }
    cuts.push_back(start + length);
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
      e.batch.segments.push_back({static_cast<std::int64_t>(e.batch.ids.size()), cuts[i + 1] - cuts[i], 0});
      for (std::int64_t t = cuts[i]; t < cuts[i + 1]; ++t) {
        e.batch.ids.push_back(tokens[t]);
        e.targets.push_back(tokens[t + 1]);
      }
      const bool cut_by_document = documents && !tokens.documents(cuts[i + 1], cuts[i + 1] + 1).empty();
      if (cut_by_document) e.targets.back() = -1;
    }
  }
  return e;
}

std::int64_t counted_targets(const TokenData& tokens, std::int64_t start, std::int64_t length, bool documents) {
  return documents ? length - std::ssize(tokens.documents(start + 1, start + length + 1)) : length;
}

}  // namespace toy
