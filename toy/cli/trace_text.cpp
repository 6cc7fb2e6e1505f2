#include "toy/cli/trace_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "toy/cli/console.h"
#include "toy/cli/format.h"
#include "toy/io/plural.h"

namespace toy::cli {

namespace {

/// Runs one forward of a prompt on the trace device; the logits of the last `rows` rows.
void trace_forward(const GgufFile& file, std::int64_t tokens, std::int64_t past, std::int64_t rows,
                   TraceDevice& trace) {
  const auto model = trace_model(file, trace);
  KVCache cache(trace, model->kv_shape(), DType::F16);
  Batch batch;
  batch.ids.assign(static_cast<std::size_t>(tokens), 0);
  batch.segments = {{0, tokens, past}};
  batch.caches = {&cache};
  for (std::int64_t row = tokens - rows; row < tokens; ++row) batch.wanted.push_back(static_cast<std::int32_t>(row));
  Context ctx(trace, std::move(batch));
  const Tensor hidden = model->forward(ctx);
  const auto scope = ctx.scope("head");
  trace.name_value(model->logits(hidden), "logits", "R V");
}

/// A forward of T tokens with the logits of R = 1 row. A second one, longer by two tokens and one row, tells which
/// lengths are T and R where no name says so.
class SymbolicTrace {
 public:
  SymbolicTrace(const GgufFile& file, std::int64_t tokens) : tokens_(tokens) {
    trace_forward(file, tokens, 0, 1, trace_);
    trace_forward(file, tokens + 2, 0, 2, longer_);
  }

  const std::vector<TracedOp>& ops() const { return trace_.ops(); }

  /// "blk.0.attn.q [T H*d]", or the shape where no axes are named.
  std::string text(std::int64_t id) const {
    const TracedValue& value = trace_.value(id);
    std::string axes = value.axes;
    for (int axis = 0; value.axes.empty() && axis < value.shape.rank(); ++axis) {
      axes += (axis > 0 ? " " : "") + length(value.shape[axis], longer_.value(id).shape[axis]);
    }
    return fmt::format("{} [{}]", one_line(value.name), axes);
  }

  std::vector<std::string> texts(const std::vector<std::int64_t>& ids) const {
    std::vector<std::string> texts;
    texts.reserve(ids.size());
    for (const std::int64_t id : ids) texts.push_back(text(id));
    return texts;
  }

 private:
  std::string length(std::int64_t here, std::int64_t longer) const {
    if (here == tokens_ && longer == tokens_ + 2) return "T";
    return here == 1 && longer == 2 ? "R" : std::to_string(here);
  }

  std::int64_t tokens_;
  TraceDevice trace_, longer_;
};

std::string si(double value) { return short_count(static_cast<std::int64_t>(value)); }

}  // namespace

std::int64_t trace_tokens(const Sizes& sizes, std::optional<std::int64_t> wanted) {
  return wanted.value_or(std::min<std::int64_t>(512, sizes.context));
}

std::string ops_text(const GgufFile& file, std::int64_t tokens) {
  const SymbolicTrace trace(file, tokens);
  double flops = 0, bytes = 0;
  std::vector<std::vector<std::string>> rows{{"  scope", "op", "inputs -> outputs", "FLOPs", "bytes"}};
  for (const TracedOp& op : trace.ops()) {
    std::string constants;
    for (const auto& [key, value] : op.hyperparameters) constants += fmt::format(", {} = {}", key, value);
    rows.push_back({"  " + op.scope, std::string(op.op->name),
                    fmt::format("{} -> {}{}", fmt::join(trace.texts(op.inputs), ", "),
                                fmt::join(trace.texts(op.outputs), ", "), constants),
                    si(op.flops), si(op.bytes)});
    flops += op.flops;
    bytes += op.bytes;
  }
  std::string text = fmt::format("\nOps of one forward of T = {} {}, logits of the last\n{}", tokens,
                                 plural(tokens, "token"), table(rows, "lllrr"));
  text += fmt::format("  total: {} FLOPs, {} bytes read and written\n\nFormulas\n", si(flops), si(bytes));
  std::vector<std::vector<std::string>> formulas;
  for (const TracedOp& op : trace.ops()) {
    std::vector<std::string> formula{"  " + std::string(op.op->name), std::string(op.op->formula)};
    if (std::ranges::find(formulas, formula) == formulas.end()) formulas.push_back(std::move(formula));
  }
  return text + table(formulas, "ll");
}

Json ops_json(const GgufFile& file, std::int64_t tokens) {
  const SymbolicTrace trace(file, tokens);
  Json list = Json::array();
  for (const TracedOp& op : trace.ops()) {
    Json constants = Json::object();
    for (const auto& [key, value] : op.hyperparameters) constants[key] = value;
    list.push_back({{"scope", op.scope},
                    {"op", op.op->name},
                    {"formula", op.op->formula},
                    {"inputs", trace.texts(op.inputs)},
                    {"outputs", trace.texts(op.outputs)},
                    {"hyperparameters", constants},
                    {"flops", op.flops},
                    {"bytes", op.bytes}});
  }
  return list;
}

ForwardCost forward_cost(const GgufFile& file, std::int64_t tokens, std::int64_t past) {
  TraceDevice trace;
  trace_forward(file, tokens, past, 1, trace);
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
