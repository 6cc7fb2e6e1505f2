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
    OpInfo{"add", "y = a + b", true},
    OpInfo{"sub", "y = a - b", true},
    OpInfo{"mul", "y = a b", true},
    OpInfo{"div", "y = a / b", true},
    OpInfo{"broadcast_to", "y = x, repeated", true},
    OpInfo{"neg", "y = -x", true},
    OpInfo{"exp", "y = e^x", true},
    OpInfo{"log", "y = ln x", true},
    OpInfo{"sqrt", "y = x^(1/2)", true},
    OpInfo{"sigmoid", "y = 1 / (1 + e^-x)", true},
    OpInfo{"softplus", "y = ln(1 + e^x)", true},
    OpInfo{"tanh", "y = tanh(x)", true},
    OpInfo{"scale", "y = a x + b", true},
    OpInfo{"sum", "y = sum(x)", true},
    OpInfo{"mean", "y = sum(x) / n", true},
    OpInfo{"sum_to", "y = sum(x) over repeated axes", true},
    OpInfo{"matmul", "y = a b", true},
    OpInfo{"transpose", "y = x^T", true},
    OpInfo{"slice", "y = x[begin : begin + n]", true},
    OpInfo{"place", "y = 0, y[begin : begin + n] = x", true},
    OpInfo{"concat", "y = [a; b; ...]", true},
    OpInfo{"repeat", "y = [x; x; ...]", true},
    OpInfo{"gather", "y_t = W_{i_t}", true},
    OpInfo{"scatter_add", "y_{i_t} += x_t", false},
    OpInfo{"rms_norm", "y = x / sqrt(mean(x^2) + eps) * w", true},
    OpInfo{"rms_norm_backward", "dx, dw of rms_norm", false},
    OpInfo{"layer_norm", "y = (x - mean(x)) / sqrt(var(x) + eps) * w + b", true},
    OpInfo{"layer_norm_backward", "dx, dw, db of layer_norm", false},
    OpInfo{"l2_norm", "y = x / sqrt(sum(x^2) + eps)", true},
    OpInfo{"linear", "y = x W^T + b", true},
    OpInfo{"linear_backward", "dx, dW, db of linear", false},
    OpInfo{"swiglu", "y = g * sigmoid(g) * u", true},
    OpInfo{"swiglu_backward", "dg, du of swiglu", false},
    OpInfo{"gelu", "y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))", true},
    OpInfo{"gelu_backward", "dx of gelu", false},
    OpInfo{"angles", "c_t = cos(p_t f), s_t = sin(p_t f)", false},
    OpInfo{"rope", "y_t = R(c_t, s_t) x_t", true},
    OpInfo{"append", "K <- [K; k], V <- [V; v]", false},
    OpInfo{"attention", "y = softmax(scale q K^T + mask) V", true},
    OpInfo{"attention_backward", "dq, dk, dv of attention", false},
    OpInfo{"causal_conv", "y_t = sum_j w_j x_{t-k+1+j}", true},
    OpInfo{"causal_conv_backward", "dx, dw of causal_conv", false},
    OpInfo{"softmax", "y = exp(x) / sum(exp(x))", true},
    OpInfo{"log_softmax", "y = x - log(sum(exp(x)))", true},
    OpInfo{"squares", "y_b = sum(x^2) of block b", false},
    OpInfo{"sgd_update", "p -= rate (momentum v + g)", false},
    OpInfo{"rmsprop_update", "p -= rate g / (sqrt(v) + eps)", false},
    OpInfo{"adam_update", "p -= rate m / (sqrt(v) + eps)", false},
    OpInfo{"cross_entropy", "y = mean(-log softmax(h W^T)[target])", true},
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
