#include "toy/train/flow.h"

#include <nlohmann/json.hpp>

#include <algorithm>

#include "toy/models/create.h"
#include "toy/tensor/device/trace/trace_device.h"
#include "toy/train/config.h"

namespace toy {

std::string flow_text(const Metadata& metadata, std::int64_t tokens) {
  using Json = nlohmann::ordered_json;
  TraceDevice trace;
  const auto model = new_model(metadata, trace, optional_parameters(metadata));
  Batch batch;
  batch.ids.assign(static_cast<std::size_t>(tokens), 0);
  batch.segments = {{0, tokens, 0}};
  Context ctx(trace, std::move(batch));
  const Tensor targets = Tensor::empty(trace, {tokens}, DType::I32);
  trace.name_value(targets, "targets", "T");
  trace.name_value(model->loss(model->forward(ctx), targets), "loss", "");

  // Indices count from 0, values of a trace from 1.
  const auto indices = [](std::vector<std::int64_t> ids) {
    for (std::int64_t& id : ids) --id;
    return ids;
  };
  std::int64_t values = 0;
  Json ops = Json::array();
  for (const TracedOp& op : trace.ops()) {
    for (const auto& ids : {op.inputs, op.outputs}) {
      for (const std::int64_t id : ids) values = std::max(values, id);
    }
    Json hyperparameters = Json::object();
    for (const auto& [key, value] : op.hyperparameters) hyperparameters[key] = value;
    ops.push_back({{"scope", op.scope},
                   {"op", op.op->name},
                   {"inputs", indices(op.inputs)},
                   {"outputs", indices(op.outputs)},
                   {"hyperparameters", std::move(hyperparameters)},
                   {"flops", op.flops},
                   {"bytes", op.bytes}});
  }
  Json list = Json::array();
  for (std::int64_t id = 1; id <= values; ++id) {
    const TracedValue& v = trace.value(id);
    Json shape = Json::array();
    for (int axis = 0; axis < v.shape.rank(); ++axis) shape.push_back(v.shape[axis]);
    list.push_back({{"name", v.name}, {"shape", std::move(shape)}, {"axes", v.axes}, {"parameter", v.parameter}});
  }
  const Json json{{"schema", "toy/flow-v1"},
                  {"architecture", metadata.get<std::string>("general.architecture")},
                  {"tokens", tokens},
                  {"values", std::move(list)},
                  {"ops", std::move(ops)}};
  return json.dump() + "\n";
}

}  // namespace toy
