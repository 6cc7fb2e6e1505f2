#include "toy/tensor/kernel_table.h"

#include <algorithm>
#include <utility>

namespace toy {

void KernelTable::set(const Row& row) {
  Row& place = rows_[find(row.op, row.first)];
  if (place.op == nullptr) ++taken_;
  place = row;
  if (2 * taken_ <= rows_.size()) return;
  const std::vector<Row> before = std::exchange(rows_, std::vector<Row>(2 * rows_.size()));
  for (const Row& r : before) {
    if (r.op != nullptr) rows_[find(r.op, r.first)] = r;
  }
}

std::vector<Op> KernelTable::ops() const {
  std::vector<Op> ops;
  for (const Row& row : rows_) {
    if (row.op != nullptr) ops.push_back(*row.op);
  }
  std::ranges::sort(ops, {}, &Op::name);
  const auto twice = std::ranges::unique(ops, {}, &Op::name);
  ops.erase(twice.begin(), twice.end());
  return ops;
}

bool KernelTable::has(std::string_view op, DType dtype) const {
  return std::ranges::any_of(
      rows_, [&](const Row& row) { return row.op != nullptr && row.op->name == op && row.dtype == dtype; });
}

}  // namespace toy
