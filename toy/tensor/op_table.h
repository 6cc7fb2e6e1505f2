// The names of all ops, once. An op's file holds everything else about it.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace toy {

struct OpInfo {
  std::string_view name;
  std::string_view formula;
  bool has_gradient;
};

inline constexpr std::array op_table = {
    OpInfo{"add", "y = a + b", false},
    OpInfo{"gather", "y_t = W_{i_t}", false},
    OpInfo{"rms_norm", "y = x / sqrt(mean(x^2) + eps) * w", false},
    OpInfo{"layer_norm", "y = (x - mean(x)) / sqrt(var(x) + eps) * w + b", false},
    OpInfo{"linear", "y = x W^T + b", false},
    OpInfo{"swiglu", "y = g * sigmoid(g) * u", false},
    OpInfo{"gelu", "y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))", false},
    OpInfo{"angles", "c_t = cos(p_t f), s_t = sin(p_t f)", false},
    OpInfo{"rope", "y_t = R(c_t, s_t) x_t", false},
    OpInfo{"append", "K <- [K; k], V <- [V; v]", false},
    OpInfo{"attention", "y = softmax(scale q K^T + mask) V", false},
    OpInfo{"log_softmax", "y = x - log(sum(exp(x)))", false},
};

inline constexpr std::size_t op_count = op_table.size();

/// Row of an op in the table; a name that is not there does not compile.
consteval std::size_t op_index(std::string_view name) {
  for (std::size_t i = 0; i < op_count; ++i) {
    if (op_table[i].name == name) return i;
  }
  throw "not in the table of ops";
}

/// One op, found in the table at compile time.
struct Op {
  consteval explicit Op(std::string_view name) : index(op_index(name)) {}
  constexpr const OpInfo& info() const { return op_table[index]; }
  std::size_t index;
};

}  // namespace toy
