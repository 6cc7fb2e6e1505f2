// Sums whose order of additions depends on the number of terms alone.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace toy {

/// Adds terms 0, 1, ..., n - 1 by pairwise summation (Higham 1993), one after the other as they come. The sum of a
/// range is the sum of its first 2^k terms, 2^k being the largest power of two below its length, plus that of the rest,
/// so which terms meet is fixed by their places and n, whoever computes which. Holds at most floor(log2 n) partial sums
/// while a term is made.
template <class Term>
class PairwiseSum {
 public:
  /// Adds the next term; `add(left, right)` makes left the sum of both.
  template <class Add>
  void push(Term term, const Add& add) {
    std::int64_t count = 1;
    for (; !parts_.empty() && parts_.back().count == count; count *= 2) term = merge(std::move(term), add);
    parts_.push_back({count, std::move(term)});
  }
  /// Returns the sum of all terms and begins anew; a sum of none is Term().
  template <class Add>
  Term take(const Add& add) {
    if (parts_.empty()) return {};
    Term sum = std::move(parts_.back().sum);
    parts_.pop_back();
    while (!parts_.empty()) sum = merge(std::move(sum), add);
    return sum;
  }

 private:
  struct Part {
    std::int64_t count = 0;  // terms in it, a power of two
    Term sum;
  };
  /// Takes the last part away and returns its sum with `right`.
  template <class Add>
  Term merge(Term right, const Add& add) {
    Term left = std::move(parts_.back().sum);
    parts_.pop_back();
    add(left, std::move(right));
    return left;
  }

  std::vector<Part> parts_;  // each of more terms than the next
};

}  // namespace toy
