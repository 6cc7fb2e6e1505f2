// Backpropagation on one number.
#pragma once

#include <memory>
#include <vector>

namespace toy::scalar {

struct Partial;

/// A number that knows which numbers it was computed from, so that it can tell how much each of them matters.
///
///     Value x = 3.0, y = 2.0 * x * x;
///     y.backward();
///     x.grad();  // dy/dx = 12
///
/// Copies are the same number: `Value w2 = w` gives w a second name.
class Value {
 public:
  /// A number that depends on nothing: a parameter, an input or a constant.
  Value(double value);  // NOLINT(google-explicit-constructor): 2.0 * x reads as mathematics
  /// The result of an operation.
  Value(double value, std::vector<Partial> inputs);

  double value() const;
  /// Sum of what every backward() since zero_grad() found: d(where it was called) / d(this).
  double grad() const;

  /// The chain rule: adds d(this)/dv to the grad() of every v that this was computed from, and 1 to its own.
  void backward() const;
  /// Forgets the gradient of this number alone.
  void zero_grad() const;
  /// Changes a parameter, as a step of gradient descent does. What was computed from it before stays as it was.
  void set(double value) const;

 private:
  struct Node;
  static std::vector<Node*> inputs_before_results(Node* result);

  std::shared_ptr<Node> node_;
};

/// One input of an operation, and the derivative of the result with respect to it.
struct Partial {
  Value input;
  double derivative;
};

Value operator+(const Value& x, const Value& y);
Value operator-(const Value& x, const Value& y);
Value operator*(const Value& x, const Value& y);
Value operator/(const Value& x, const Value& y);
Value operator-(const Value& x);

Value pow(const Value& x, double n);
Value exp(const Value& x);
Value log(const Value& x);
Value tanh(const Value& x);
/// max(x, 0); its derivative at 0 is taken as 0.
Value relu(const Value& x);

}  // namespace toy::scalar
