// A device that computes nothing: it runs the shape rules and writes down what would happen.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "toy/tensor/device.h"

namespace toy {

/// One op of a traced forward.
struct TracedOp {
  std::string scope;  // modules whose forward is running, outermost first: "blk.0.attn"
  const Op* op;
  std::vector<std::int64_t> inputs;  // values by id, from 1
  std::vector<std::int64_t> outputs;
  std::vector<std::pair<std::string, std::string>> hyperparameters;
  double flops = 0;
  double bytes = 0;  // read and written, each input and output once
};

/// One tensor seen by the trace.
struct TracedValue {
  std::string name;  // of a parameter or of ctx.expect; otherwise "v<id>"
  std::string axes;  // "T D" where ctx.expect named them
  Shape shape;
  DType dtype = DType::F32;
  bool parameter = false;
};

class TraceDevice final : public Device {
 public:
  TraceDevice() { records_ = true; }

  std::string_view name() const override { return "trace"; }
  std::shared_ptr<Storage> allocate(std::int64_t bytes, Lifetime lifetime = Lifetime::step) override;
  Tensor prepare(const Tensor& weight) override { return weight; }
  void record(const OpRecord& op) override;
  void enter(std::string_view scope) override { scope_.emplace_back(scope); }
  void leave() override { scope_.pop_back(); }
  void add_parameter(const Tensor& value) override;
  void name_value(const Tensor& value, std::string_view name, std::string_view axes) override;

  /// A parameter of this shape, without elements.
  Tensor parameter(std::string name, Shape shape, DType dtype);

  const std::vector<TracedOp>& ops() const { return ops_; }
  /// Errors: no value has this id.
  const TracedValue& value(std::int64_t id) const;
  /// Largest total of a step's tensors that were alive together.
  std::int64_t peak_bytes() const { return memory_->peak; }

 private:
  struct Memory {
    std::int64_t live = 0, peak = 0;
  };
  std::int64_t id_of(const Tensor& t);

  std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();
  std::vector<std::string> scope_;
  std::vector<TracedOp> ops_;
  std::vector<TracedValue> values_{{}};  // the first stands for no value
};

}  // namespace toy
