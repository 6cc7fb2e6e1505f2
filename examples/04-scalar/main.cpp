// Teaches a small network to tell two moons apart. Every weight and every number on the way to the loss is a Value.
#include <cmath>
#include <cstdio>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "toy/scalar/value.h"

using toy::scalar::Value;

/// sum over the neurons of v tanh(a x + b y + c): positive on one side, negative on the other.
/// The weights are a, b, c, v of the first neuron, of the second, ...
Value score(const std::vector<Value>& weights, double x, double y) {
  Value sum = 0;
  for (auto w = weights.begin(); w != weights.end(); w += 4) sum = sum + w[3] * tanh(w[0] * x + w[1] * y + w[2]);
  return sum;
}

int main() {
  // The data: two half circles that reach into each other, one on side +1, one on side -1.
  struct Point {
    double x, y, side;
  };
  std::vector<Point> points;
  for (double angle = 0; angle < std::numbers::pi; angle += 0.13) {
    points.push_back({std::cos(angle), std::sin(angle), +1});
    points.push_back({1 - std::cos(angle), 0.5 - std::sin(angle), -1});
  }

  // The network: twelve neurons, at first at random between -2 and 2.
  std::mt19937 bits(1);
  std::vector<Value> weights;
  while (weights.size() < 12 * 4) weights.emplace_back(4.0 * bits() / std::mt19937::max() - 2);

  // Training: -log sigmoid(side * score) is small where the score has the right sign. backward() says how each weight
  // moves the loss, and each weight takes a step the other way.
  for (int step = 0; step <= 200; ++step) {
    Value loss = 0;
    for (const Point& p : points) loss = loss + log(1 + exp(-p.side * score(weights, p.x, p.y))) / points.size();
    if (step % 40 == 0) std::printf("step %3d  loss %.4f\n", step, loss.value());
    for (const Value& w : weights) w.zero_grad();
    loss.backward();
    for (const Value& w : weights) w.set(w.value() - 0.5 * w.grad());
  }

  // What it learned: the plane as the network sees it, # for one side, . for the other; the points are O and x.
  int right = 0;
  for (const Point& p : points) right += score(weights, p.x, p.y).value() * p.side > 0;
  std::printf("accuracy %.0f %% of %zu points\n", 100.0 * right / points.size(), points.size());
  std::vector<std::string> plane(20, std::string(64, ' '));
  for (std::size_t i = 0; i < 20; ++i) {
    for (std::size_t j = 0; j < 64; ++j) {
      plane[i][j] = score(weights, -1.4 + 0.06 * j, 1.4 - 0.12 * i).value() > 0 ? '#' : '.';
    }
  }
  for (const auto& [x, y, side] : points)
    plane[std::lround((1.4 - y) / 0.12)][std::lround((x + 1.4) / 0.06)] = side > 0 ? 'O' : 'x';
  for (const std::string& line : plane) std::printf("%s\n", line.c_str());
  return 0;
}
