#include "toy/byhand/generate.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <stdexcept>
#include <string>

#include "toy/byhand/random.h"

namespace toy::byhand {

namespace {

int most_likely(std::span<const double> logits) {
  return static_cast<int>(std::ranges::max_element(logits) - logits.begin());
}

/// logits [V] -> an id with probability softmax(logits / temperature)
int draw(std::span<const double> logits, double temperature, Random& random) {
  const double top = *std::ranges::max_element(logits);
  Matrix scaled(1, static_cast<int>(logits.size()));
  for (int j = 0; j < scaled.cols(); ++j) scaled(0, j) = (logits[static_cast<std::size_t>(j)] - top) / temperature;
  const Matrix p = softmax_rows(scaled);
  double left = random.uniform();
  for (int j = 0; j < p.cols(); ++j) {
    left -= p(0, j);
    if (left < 0) return j;
  }
  return most_likely(logits);
}

}  // namespace

std::vector<int> generate_from_ids(const TransformerLM& lm, const std::vector<int>& prompt,
                                   const GenerateOptions& options) {
  if (prompt.empty()) throw std::invalid_argument("generate_from_ids: expected a prompt of at least one id");
  expect_ids("generate_from_ids", prompt, lm.wte.rows());
  if (options.n < 0)
    throw std::invalid_argument("generate_from_ids: n is at least 0, found " + std::to_string(options.n));
  if (!std::isfinite(options.temperature)) throw std::invalid_argument("generate_from_ids: temperature is no number");

  const auto context = static_cast<std::size_t>(lm.wpe.rows());
  Random random(options.seed);
  std::vector<int> ids = prompt;
  for (int i = 0; i < options.n; ++i) {
    const auto window = std::span<const int>(ids).last(std::min(ids.size(), context));
    const Matrix logits = lm.logits(window);
    const auto next = logits.row(logits.rows() - 1);
    ids.push_back(options.temperature <= 0 ? most_likely(next) : draw(next, options.temperature, random));
  }
  return {ids.begin() + static_cast<std::ptrdiff_t>(prompt.size()), ids.end()};
}

}  // namespace toy::byhand
