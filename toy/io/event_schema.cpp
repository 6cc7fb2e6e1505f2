#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "toy/io/events.h"
#include "toy/io/plural.h"
#include "toy/io/quote.h"

namespace toy {

namespace {

/// The keys of a kind beside `kind` and `t`: NAME:TYPE, "?" after the name if it may be absent, "." before a member of
/// an object, which is looked for where there is that object.
struct Kind {
  std::string_view name, keys;
};

constexpr std::string_view training_step =
    "step:count phase:text loss:number lr:number tokens:count wall_us:number compute_us:number grad_norm:number "
    "ppl:number";
constexpr std::string_view decoding_step = "step:count phase:text token_id:count logprob:number wall_us:number";
constexpr std::string_view request =
    "name:text extra:object extra.request_id:text extra.model:text extra.prompt_tokens:count "
    "extra.completion_tokens:count extra.latency_us:number extra.sampling:object";

constexpr std::array<Kind, 13> kinds = {{
    {"run_start",
     "schema:text started_at:text run_id:text host:object host.name:text host.os:text host.arch:text backend:object "
     "backend.kind:text git?:object git.sha:text git.branch:text model:object model.arch:text model.name:text "
     "model.vocab:count model.d_model:count model.n_layers:count model.n_heads:count model.n_kv:count "
     "model.d_head:count model.d_ff:count model.weight_type:text config:object compare_to?:text"},
    {"step", training_step},
    {"eval", "step?:count phase?:text name:text loss:number ppl:number samples:count extra?:object"},
    {"sample", "step:count phase?:text prompt:text text:text"},
    {"tap",
     "step:count phase?:text region:text layer?:count head?:count shape:list dtype:text l2:number min:number "
     "max:number mean:number abs_mean:number sparsity:number nan_count:count per_head_l2?:list histogram?:list "
     "gram?:list"},
    {"grad", "step:count phase?:text param:text shape:list l2:number abs_mean:number nan_count:count"},
    {"drift", "step:count phase?:text param:text cos_to_init:number l2_to_init:number token_id?:count freq?:number"},
    {"op_timing", "step:count phase?:text compute_us:number buckets:object"},
    {"compare", "step:count phase?:text baseline_run_id:text loss_delta:number ppl_ratio:number verdict:text"},
    {"region_enter", "region:text"},
    {"region_exit", "region:text"},
    {"note", "text:text"},
    {"run_end",
     "ended_at:text reason:text final_step:count final_loss:number exit_code:count error?:text quality_gate?:object "
     "quality_gate.passed:boolean quality_gate.metric:text quality_gate.value:number "
     "quality_gate.threshold:number"},
}};

/// Values that a text may have.
struct Words {
  std::string_view key, values;
};
constexpr std::array<Words, 4> words = {{{"schema", "toy/v1"},
                                         {"phase", "train eval decode serve"},
                                         {"verdict", "ahead par behind abort"},
                                         {"reason", "completed interrupted aborted errored"}}};

/// A number may be null: it was not finite.
bool has_type(const Event& value, std::string_view type) {
  if (type == "text") return value.is_string();
  if (type == "number") return value.is_number() || value.is_null();
  if (type == "count")
    return value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
  if (type == "boolean") return value.is_boolean();
  if (type == "list") return value.is_array();
  return value.is_object();
}

bool is_one_of(std::string_view value, std::string_view list) {
  std::istringstream all{std::string(list)};
  for (std::string word; all >> word;) {
    if (word == value) return true;
  }
  return false;
}

void check_key(const Event& event, std::string_view rule, std::vector<std::string>& complaints) {
  const std::string_view type = rule.substr(rule.find(':') + 1);
  std::string_view name = rule.substr(0, rule.find(':'));
  const bool optional = name.ends_with('?');
  if (optional) name.remove_suffix(1);
  const std::size_t dot = name.find('.');
  const Event* parent = &event;
  if (dot != std::string_view::npos) {
    const auto found = event.find(name.substr(0, dot));
    if (found == event.end() || !found->is_object()) return;  // told, if it had to be there
    parent = &*found;
  }
  const auto value = parent->find(name.substr(dot == std::string_view::npos ? 0 : dot + 1));
  if (value == parent->end()) {
    if (!optional) complaints.push_back(fmt::format("{} is missing", name));
  } else if (!has_type(*value, type)) {
    complaints.push_back(fmt::format("{} is {}, expected {}", name, in_quotes(value->dump().substr(0, 80)), type));
  } else if (const auto limited = std::ranges::find(words, name, &Words::key); limited != words.end()) {
    const auto& text = value->get_ref<const std::string&>();
    if (!is_one_of(text, limited->values)) {
      complaints.push_back(fmt::format("{} is {}, expected one of: {}", name, in_quotes(text), limited->values));
    }
  }
}

std::string_view keys_of(const Event& event) {
  const auto& kind = event.at("kind").get_ref<const std::string&>();
  if (kind == "step" && event.value("phase", Event()) == "decode") return decoding_step;
  if (kind == "eval" && event.value("name", Event()) == "request") return request;
  return std::ranges::find(kinds, kind, &Kind::name)->keys;
}

/// The order of a log: run_start first, run_end last, time and steps of a phase never back.
class Order {
 public:
  std::optional<std::string> next(const Event& event) {
    const std::string kind = event.at("kind");
    const bool first = std::exchange(first_, false);
    if (first && kind != "run_start") return "the first event is not run_start";
    if (!first && kind == "run_start") return "run_start again";
    if (std::exchange(ended_, ended_ || kind == "run_end")) return "an event after run_end";
    const double t = event.value("t", Event()).is_number() ? event["t"].get<double>() : seconds_;
    if (t < std::exchange(seconds_, std::max(seconds_, t))) return fmt::format("t goes back to {}", t);
    if (kind != "step" || !has_type(event.value("step", Event()), "count")) return std::nullopt;
    const auto step = event["step"].get<std::uint64_t>();
    const Event phase = event.value("phase", Event());
    const auto before = std::exchange(steps_[phase.is_string() ? phase.get<std::string>() : ""], step);
    if (before && step != *before + 1) return fmt::format("step {} after step {}", step, *before);
    return std::nullopt;
  }

 private:
  bool first_ = true, ended_ = false;
  double seconds_ = 0;
  std::map<std::string, std::optional<std::uint64_t>> steps_;
};

}  // namespace

bool is_known_kind(std::string_view kind) {
  return !kind.empty() && std::ranges::find(kinds, kind, &Kind::name) != kinds.end();
}

std::vector<std::string> validate_event(const Event& event) {
  if (!event.is_object()) return {"it is not an object"};
  const auto kind = event.find("kind");
  if (kind == event.end() || !kind->is_string()) return {"kind is missing or not a text"};
  const auto& name = kind->get_ref<const std::string&>();
  if (!is_known_kind(name)) return {fmt::format("kind {} is unknown", in_quotes(name))};
  std::vector<std::string> complaints;
  const auto t = event.find("t");
  if (t == event.end() || !t->is_number() || t->get<double>() < 0)
    complaints.emplace_back("t is not a number from 0 on");
  std::istringstream rules{std::string(keys_of(event))};
  for (std::string rule; rules >> rule;) check_key(event, rule, complaints);
  return complaints;
}

std::vector<std::string> validate_log(const Place& place) {
  constexpr std::size_t most = 100;
  std::vector<std::string> complaints;
  Order order;
  const auto check = [&](const Event& event, std::uint64_t line) {
    const std::string kind = event.at("kind");
    const auto add = [&](const std::string& what) {
      if (complaints.size() < most) complaints.push_back(fmt::format("line {}: {}: {}", line, kind, what));
    };
    for (const std::string& complaint : validate_event(event)) add(complaint);
    if (const auto complaint = order.next(event)) add(*complaint);
  };
  const EventLines lines = for_each_event(place, check);
  if (lines.skipped_lines > 0) {
    complaints.push_back(fmt::format("{} {} cannot be read", lines.skipped_lines, plural(lines.skipped_lines, "line")));
  }
  return complaints;
}

}  // namespace toy
