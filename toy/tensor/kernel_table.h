// What an op is called, and the kernels of a device, found by the type of their arguments.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "toy/tensor/dtype.h"

namespace toy {

class Team;

/// Stands in an op's struct of arguments: `static constexpr Op op{...}`. No list of ops is needed: the address of the
/// member is what tells the ops, and the number types of one op, apart.
struct Op {
  std::string_view name;     // for traces, timings and errors
  std::string_view formula;  // "y = a + b"
  bool has_gradient;         // without one it refuses an input that wants one
};

/// Args<double>: the struct of arguments of an op on F64.
template <class Args>
inline constexpr bool on_doubles = false;
template <template <class> class Args>
inline constexpr bool on_doubles<Args<double>> = true;

/// Where the search for an op's kernel begins: FNV-1a of its name, another for F64 (Fowler, Noll & Vo 1991).
consteval std::size_t first_row(std::string_view name, bool doubles) {
  std::uint32_t hash = doubles ? 0 : 2166136261U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

/// Kernels of a device, one per op and number type. Each takes the op's struct of arguments.
class KernelTable {
 public:
  /// A later kernel replaces an earlier one of the same Args.
  template <class Args>
  void set(void (*kernel)(const Args&, const Team&)) {
    constexpr std::size_t first = first_row(Args::op.name, on_doubles<Args>);
    set({&Args::op, reinterpret_cast<Untyped>(kernel), first, on_doubles<Args> ? DType::F64 : DType::F32});
  }
  /// Null when there is none.
  template <class Args>
  auto get() const {
    constexpr std::size_t first = first_row(Args::op.name, on_doubles<Args>);
    return reinterpret_cast<void (*)(const Args&, const Team&)>(rows_[find(&Args::op, first)].kernel);
  }

  /// Every op that has a kernel, by name.
  std::vector<Op> ops() const;
  bool has(std::string_view op, DType dtype) const;

 private:
  using Untyped = void (*)();
  struct Row {
    const Op* op = nullptr;  // null: the row is free
    Untyped kernel = nullptr;
    std::size_t first = 0;
    DType dtype = DType::F32;
  };

  void set(const Row& row);
  /// The op's row, or the free one where it would stand.
  std::size_t find(const Op* op, std::size_t first) const {
    const std::size_t last = rows_.size() - 1;
    std::size_t i = first & last;
    while (rows_[i].op != op && rows_[i].op != nullptr) i = (i + 1) & last;
    return i;
  }

  std::vector<Row> rows_ = std::vector<Row>(256);  // a power of two; half of them are free
  std::size_t taken_ = 0;
};

}  // namespace toy
