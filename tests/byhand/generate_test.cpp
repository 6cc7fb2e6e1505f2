// Generation against the logits it is drawn from.
#include "toy/byhand/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace toy::byhand {
namespace {

const TransformerLM& model() {
  static const auto lm = [] {
    auto sharp = TransformerLM::random({9, 5, 8, 2, 12, 1}, 21);
    sharp.norm_f = 6.0 * sharp.norm_f;
    return sharp;
  }();
  return lm;
}

std::vector<double> next_logits(const std::vector<int>& ids) {
  const std::size_t window = std::min<std::size_t>(ids.size(), 5);
  const Matrix logits = model().logits(std::span(ids).last(window));
  const auto row = logits.row(logits.rows() - 1);
  return {row.begin(), row.end()};
}

TEST(ByhandGenerate, GreedyIsTheLargestLogitAlsoWhenTheWindowSlides) {
  std::vector<int> ids = {3, 1};
  const auto found = generate_from_ids(model(), ids, {.n = 12});
  ASSERT_EQ(found.size(), 12U);
  for (const int id : found) {
    const auto logits = next_logits(ids);
    EXPECT_EQ(id, std::ranges::max_element(logits) - logits.begin()) << "after " << ids.size();
    ids.push_back(id);
  }
  EXPECT_EQ(generate_from_ids(model(), {3, 1}, {.n = 12, .temperature = -1}), found);
}

TEST(ByhandGenerate, APromptLongerThanTheContextKeepsItsEnd) {
  const std::vector<int> end = {4, 4, 0, 2, 8};
  std::vector<int> all = {7, 7, 7, 7};
  all.insert(all.end(), end.begin(), end.end());
  EXPECT_EQ(generate_from_ids(model(), all, {.n = 6}), generate_from_ids(model(), end, {.n = 6}));
}

TEST(ByhandGenerate, TheSeedDecides) {
  const auto ids = generate_from_ids(model(), {3}, {.n = 20, .temperature = 2, .seed = 5});
  EXPECT_EQ(generate_from_ids(model(), {3}, {.n = 20, .temperature = 2, .seed = 5}), ids);
  EXPECT_NE(generate_from_ids(model(), {3}, {.n = 20, .temperature = 2, .seed = 6}), ids);
}

TEST(ByhandGenerate, DrawsFollowTheDistribution) {
  const double temperature = 1.5;
  auto p = next_logits({3, 8});
  for (double& value : p) value = std::exp(value / temperature);
  double total = 0;
  for (const double value : p) total += value;
  std::vector<int> count(p.size());
  const int draws = 4000;
  for (int seed = 0; seed < draws; ++seed) {
    ++count.at(static_cast<std::size_t>(
        generate_from_ids(model(), {3, 8}, {.n = 1, .temperature = temperature, .seed = std::uint64_t(seed)})[0]));
  }
  for (std::size_t j = 0; j < p.size(); ++j) {
    const double share = p[j] / total;
    EXPECT_NEAR(count[j] / double(draws), share, 4 * std::sqrt(share * (1 - share) / draws) + 1e-3) << j;
  }
}

TEST(ByhandGenerate, ATinyTemperatureIsGreedy) {
  EXPECT_EQ(generate_from_ids(model(), {3}, {.n = 12, .temperature = 1e-310}),
            generate_from_ids(model(), {3}, {.n = 12}));
}

TEST(ByhandGenerate, RefusesWhatItCannotDo) {
  EXPECT_TRUE(generate_from_ids(model(), {3}, {.n = 0}).empty());
  EXPECT_THROW(generate_from_ids(model(), {}, {}), std::invalid_argument);
  EXPECT_THROW(generate_from_ids(model(), {9}, {}), std::invalid_argument);
  EXPECT_THROW(generate_from_ids(model(), {-1}, {}), std::invalid_argument);
  EXPECT_THROW(generate_from_ids(model(), {9, 0, 0, 0, 0, 0}, {.n = 0}), std::invalid_argument);
  EXPECT_THROW(generate_from_ids(model(), {3}, {.n = -1}), std::invalid_argument);
  EXPECT_THROW(generate_from_ids(model(), {3}, {.temperature = std::numeric_limits<double>::quiet_NaN()}),
               std::invalid_argument);
}

}  // namespace
}  // namespace toy::byhand
