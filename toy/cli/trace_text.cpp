#include "toy/cli/trace_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "toy/cli/console.h"
#include "toy/cli/format.h"

namespace toy::cli {

namespace {

/// Runs one forward of a prompt on the trace device; the logits of the last row.
void trace_forward(const GgufFile& file, std::int64_t tokens, std::int64_t past, TraceDevice& trace) {
  const auto model = trace_model(file, trace);
  KVCache cache(trace, model->kv_shape(), DType::F16);
  Batch batch;
  batch.ids.assign(static_cast<std::size_t>(tokens), 0);
  batch.segments = {{0, tokens, past}};
  batch.caches = {&cache};
  batch.wanted = {static_cast<std::int32_t>(tokens - 1)};
  Context ctx(trace, std::move(batch));
  trace.name_value(ctx.ids(), "ids", "T");
  trace.name_value(ctx.positions(), "positions", "T");
  const Tensor hidden = model->forward(ctx);
  const auto scope = ctx.scope("head");
  trace.name_value(model->logits(hidden), "logits", "R V");
}

/// "blk.0.attn.q [T H*d]", or the shape where no axes are named, with T for its length.
std::string value_text(const TracedValue& value, std::int64_t tokens) {
  std::string axes = value.axes;
  if (axes.empty()) {
    for (int axis = 0; axis < value.shape.rank(); ++axis) {
      const bool is_tokens = !value.parameter && axis == 0 && tokens > 1 && value.shape[axis] == tokens;
      axes += (axis > 0 ? " " : "") + (is_tokens ? "T" : std::to_string(value.shape[axis]));
    }
  }
  return fmt::format("{} [{}]", one_line(value.name), axes);
}

std::vector<std::string> value_texts(const TraceDevice& trace, const std::vector<std::int64_t>& ids,
                                     std::int64_t tokens) {
  std::vector<std::string> texts;
  texts.reserve(ids.size());
  for (const std::int64_t id : ids) texts.push_back(value_text(trace.value(id), tokens));
  return texts;
}

std::string si(double value) { return short_count(static_cast<std::int64_t>(value)); }

}  // namespace

std::int64_t trace_tokens(const Sizes& s, std::optional<std::int64_t> wanted) {
  if (wanted) return *wanted;
  const std::array others = {s.V, s.D, s.H, s.K, s.d, s.F, s.H * s.d, s.K * s.d};
  std::int64_t tokens = std::min<std::int64_t>(512, s.context);
  while (tokens > 1 && std::ranges::find(others, tokens) != others.end()) --tokens;
  return tokens;
}

std::string ops_text(const GgufFile& file, std::int64_t tokens) {
  TraceDevice trace;
  trace_forward(file, tokens, 0, trace);
  double flops = 0, bytes = 0;
  std::vector<std::vector<std::string>> rows{{"  scope", "op", "inputs -> outputs", "FLOPs", "bytes"}};
  for (const TracedOp& op : trace.ops()) {
    std::string constants;
    for (const auto& [key, value] : op.hyperparameters) constants += fmt::format(", {} = {}", key, value);
    rows.push_back({"  " + op.scope, std::string(op.op->name),
                    fmt::format("{} -> {}{}", fmt::join(value_texts(trace, op.inputs, tokens), ", "),
                                fmt::join(value_texts(trace, op.outputs, tokens), ", "), constants),
                    si(op.flops), si(op.bytes)});
    flops += op.flops;
    bytes += op.bytes;
  }
  std::string text =
      fmt::format("\nOps of one forward of T = {} tokens, logits of the last\n{}", tokens, table(rows, "lllrr"));
  text += fmt::format("  total: {} FLOPs, {} bytes read and written\n\nFormulas\n", si(flops), si(bytes));
  std::vector<std::vector<std::string>> formulas;
  for (const OpInfo& info : op_table) {
    const bool used = std::ranges::any_of(trace.ops(), [&](const TracedOp& op) { return op.op == &info; });
    if (used) formulas.push_back({"  " + std::string(info.name), std::string(info.formula)});
  }
  return text + table(formulas, "ll");
}

Json ops_json(const GgufFile& file, std::int64_t tokens) {
  TraceDevice trace;
  trace_forward(file, tokens, 0, trace);
  Json list = Json::array();
  for (const TracedOp& op : trace.ops()) {
    Json constants = Json::object();
    for (const auto& [key, value] : op.hyperparameters) constants[key] = value;
    list.push_back({{"scope", op.scope},
                    {"op", op.op->name},
                    {"formula", op.op->formula},
                    {"inputs", value_texts(trace, op.inputs, tokens)},
                    {"outputs", value_texts(trace, op.outputs, tokens)},
                    {"hyperparameters", constants},
                    {"flops", op.flops},
                    {"bytes", op.bytes}});
  }
  return list;
}

ForwardCost forward_cost(const GgufFile& file, std::int64_t tokens, std::int64_t past) {
  TraceDevice trace;
  trace_forward(file, tokens, past, trace);
  ForwardCost cost;
  for (const TracedOp& op : trace.ops()) {
    if (op.op->name == "attention") cost.flops += op.flops;
    if (op.op->name != "linear") continue;
    cost.flops += op.flops;
    for (const std::int64_t id : op.inputs) {
      const TracedValue& value = trace.value(id);
      if (value.parameter) cost.weight_bytes += static_cast<double>(bytes_of(value.dtype, value.shape.elements()));
    }
  }
  return cost;
}

}  // namespace toy::cli
