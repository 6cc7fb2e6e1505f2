#include "toy/scalar/value.h"

#include <cmath>
#include <unordered_set>
#include <utility>

namespace toy::scalar {

// Every operation, and beside it its derivative with respect to each input.

Value operator+(const Value& x, const Value& y) { return {x.value() + y.value(), {{x, 1}, {y, 1}}}; }

Value operator-(const Value& x, const Value& y) { return {x.value() - y.value(), {{x, 1}, {y, -1}}}; }

Value operator-(const Value& x) { return {-x.value(), {{x, -1}}}; }

Value operator*(const Value& x, const Value& y) { return {x.value() * y.value(), {{x, y.value()}, {y, x.value()}}}; }

/// d(x/y)/dx = 1/y,  d(x/y)/dy = -x/y^2
Value operator/(const Value& x, const Value& y) {
  const double a = x.value(), b = y.value();
  return {a / b, {{x, 1 / b}, {y, -a / (b * b)}}};
}

/// d(x^n)/dx = n x^(n-1)
Value pow(const Value& x, double n) {
  const double derivative = n == 0 ? 0 : n * std::pow(x.value(), n - 1);
  return {std::pow(x.value(), n), {{x, derivative}}};
}

/// d(e^x)/dx = e^x
Value exp(const Value& x) {
  const double y = std::exp(x.value());
  return {y, {{x, y}}};
}

/// d(log x)/dx = 1/x
Value log(const Value& x) { return {std::log(x.value()), {{x, 1 / x.value()}}}; }

/// d(tanh x)/dx = 1 - tanh^2 x
Value tanh(const Value& x) {
  const double y = std::tanh(x.value());
  return {y, {{x, 1 - y * y}}};
}

/// d(relu x)/dx = 1 where x > 0, else 0
Value relu(const Value& x) {
  const bool on = x.value() > 0;
  return {on ? x.value() : 0, {{x, on ? 1.0 : 0.0}}};
}

// The graph: a node for every number, an edge for every partial derivative.

struct Value::Node {
  Node(double number, std::vector<Partial> from) : value(number), inputs(std::move(from)) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  double value;
  std::vector<Partial> inputs;
  double grad = 0;
  double arrived = 0;  // the part of grad that the running backward() has brought so far
};

/// A chain of n numbers, left alone, would destroy itself in n nested calls; here it is taken apart in a loop.
Value::Node::~Node() {
  std::vector<Partial> released = std::move(inputs);
  while (!released.empty()) {
    const std::shared_ptr<Node> node = std::move(released.back().input.node_);
    released.pop_back();
    if (node.use_count() > 1) continue;
    for (Partial& partial : node->inputs) released.push_back(std::move(partial));
    node->inputs.clear();
  }
}

Value::Value(double value) : Value(value, {}) {}

Value::Value(double value, std::vector<Partial> inputs) : node_(std::make_shared<Node>(value, std::move(inputs))) {}

double Value::value() const { return node_->value; }

double Value::grad() const { return node_->grad; }

void Value::zero_grad() const { node_->grad = 0; }

void Value::set(double value) const { node_->value = value; }

/// A walk in depth whose path is a list of its own: every node comes once, after all of its inputs.
std::vector<Value::Node*> Value::inputs_before_results(Node* result) {
  struct Visit {
    Node* node;
    std::size_t next_input;
  };
  std::vector<Node*> order;
  std::vector<Visit> path = {{result, 0}};
  std::unordered_set<const Node*> seen = {result};
  while (!path.empty()) {
    auto& [node, next_input] = path.back();
    if (next_input == node->inputs.size()) {
      order.push_back(node);
      path.pop_back();
      continue;
    }
    Node* input = node->inputs[next_input++].input.node_.get();
    if (seen.insert(input).second) path.push_back({input, 0});
  }
  return order;
}

/// dL/dx = sum over every y computed from x of dL/dy dy/dx. When a node's turn comes, all of its y had theirs.
void Value::backward() const {
  const std::vector<Node*> order = inputs_before_results(node_.get());
  node_->arrived = 1;
  for (auto node = order.rbegin(); node != order.rend(); ++node) {
    Node& y = **node;
    for (const auto& [x, dy_dx] : y.inputs) x.node_->arrived += y.arrived * dy_dx;
    y.grad += std::exchange(y.arrived, 0);
  }
}

}  // namespace toy::scalar
