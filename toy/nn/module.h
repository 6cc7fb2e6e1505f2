// How a module tells its parameters and hyperparameters: once, in one list, for loading, saving, counting and tracing.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "toy/tensor/tensor.h"

namespace toy {

class Visitor;

/// Whether a model may lack a parameter.
enum class Need { required, optional };

/// A named block. Its member names are the tensor names of the file.
class Module {
 public:
  virtual ~Module() = default;
  virtual void list(Visitor& v) = 0;

 protected:
  Module() = default;
  Module(const Module&) = default;
  Module(Module&&) = default;
  Module& operator=(const Module&) = default;
  Module& operator=(Module&&) = default;
};

/// Walks the list of a module and of the modules in it.
class Visitor {
 public:
  virtual ~Visitor() = default;
  /// A parameter and the shape that the hyperparameters demand.
  void operator()(std::string_view name, Tensor& value, Shape shape, Need need = Need::required);
  /// A module inside; its names begin with `name` and a dot. An empty name adds nothing.
  void operator()(std::string_view name, Module& module);
  /// A module of a numbered list: "blk.3".
  void operator()(std::string_view name, int index, Module& module);
  void operator()(std::string_view name, std::int64_t value) { hyperparameter(prefix_ + std::string(name), value); }
  void operator()(std::string_view name, float value) { hyperparameter(prefix_ + std::string(name), value); }

 protected:
  virtual void parameter(const std::string& name, Tensor& value, const Shape& shape, Need need) = 0;
  virtual void hyperparameter(const std::string& /*name*/, std::variant<std::int64_t, float> /*value*/) {}

 private:
  std::string prefix_;
};

/// A parameter that the optimizer moves.
struct Parameter {
  std::string name;
  Tensor value;
  /// Weight decay is for matrices; vectors (norms, biases) stay free of it.
  bool decays() const { return value.shape().rank() >= 2; }
};

/// The parameters that a module has, in the order of its list.
std::vector<Parameter> all_parameters(Module& module);
/// Those of them that require a gradient.
std::vector<Parameter> parameters(Module& module);

}  // namespace toy
