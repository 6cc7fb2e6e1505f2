// config.json: one list of keys for writing and for reading.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <type_traits>

#include "toy/io/quote.h"
#include "toy/io/shortest.h"
#include "toy/train/run.h"

namespace toy {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view schema = "toy/config-v1";
constexpr std::size_t most_config_bytes = 1 << 20;

class Writer {
 public:
  explicit Writer(Json& json) : json_(&json) {}
  template <class T>
  void operator()(const char* key, const T& value) {
    if constexpr (std::is_same_v<T, float>) {
      (*json_)[key] = shortest(value);
    } else {
      (*json_)[key] = value;
    }
  }
  template <class T>
  void operator()(const char* key, const std::optional<T>& value) {
    (*json_)[key] = value ? Json(*value) : Json(nullptr);
  }
  template <class T>
  void later(const char* key, const T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      if (value.empty()) return;  // as in older files
    }
    (*this)(key, value);
  }
  template <class T, class List>
  void part(const char* key, T& value, const List& list) {
    Json inner = Json::object();
    Writer writer(inner);
    list(writer, value);
    (*json_)[key] = std::move(inner);
  }

 private:
  Json* json_;
};

class Reader {
 public:
  Reader(const Json& json, std::string name) : json_(&json), name_(std::move(name)) {}
  template <class T>
  void operator()(const char* key, T& value) {
    const Json& found = at(key);
    if constexpr (std::is_same_v<T, bool>) {
      expect(found.is_boolean(), key, "true or false");
    } else if constexpr (std::is_integral_v<T>) {
      expect(found.is_number_integer() && (std::is_signed_v<T> || !found.is_number_integer() || found >= 0), key,
             "a whole number");
    } else if constexpr (std::is_floating_point_v<T>) {
      expect(found.is_number(), key, "a number");
    } else if constexpr (std::is_same_v<T, std::string>) {
      expect(found.is_string(), key, "a text");
    } else {
      expect(found.is_array(), key, "a list of texts");
      for (const Json& element : found) expect(element.is_string(), key, "a list of texts");
    }
    value = found.get<T>();
  }
  template <class T>
  void operator()(const char* key, std::optional<T>& value) {
    value.reset();
    if (at(key).is_null()) return;
    T inner{};
    (*this)(key, inner);
    value = inner;
  }
  /// A key that older files lack.
  template <class T>
  void later(const char* key, T& value) {
    if (json_->contains(key)) (*this)(key, value);
  }
  template <class T, class List>
  void part(const char* key, T& value, const List& list) {
    const Json& inner = at(key);
    expect(inner.is_object(), key, "an object");
    Reader reader(inner, name_);
    list(reader, value);
  }

 private:
  const Json& at(const char* key) const {
    const auto found = json_->find(key);
    if (found == json_->end()) fail("{}: '{}' is missing", name_, key);
    return *found;
  }
  void expect(bool good, const char* key, const char* what) const {
    if (!good) fail("{}: '{}': expected {}, found {}", name_, key, what, in_quotes(at(key).dump()));
  }

  const Json* json_;
  std::string name_;
};

constexpr auto list_model = [](auto& v, auto& m) {
  v("arch", m.arch);
  v("d_model", m.d_model);
  v("layers", m.layers);
  v("heads", m.heads);
  v("kv_heads", m.kv_heads);
  v("d_ff", m.d_ff);
  v("context", m.context);
};

constexpr auto list_training = [](auto& v, auto& o) {
  v("steps", o.steps);
  v("batch_size", o.batch);
  v("accumulate", o.accumulate);
  v("lr", o.rate);
  v("warmup_steps", o.warmup);
  v("cosine", o.cosine);
  v("min_lr", o.least_rate);
  v("beta2", o.beta2);
  v("weight_decay", o.weight_decay);
  v("clip_grad", o.clip);
  v("documents", o.documents);
  v("val_share", o.validation_share);
  v("seed", o.seed);
  v("bf16", o.bf16);
  v.later("recompute", o.recompute);
};

constexpr auto list_vocabulary = [](auto& v, auto& o) {
  v("kind", o.kind);
  v("merges", o.merges);
  v("cuts", o.cuts);
};

constexpr auto list_run = [](auto& v, auto& o) {
  v("eval_every", o.eval_every);
  v("gen_every", o.gen_every);
  v("save_every", o.save_every);
  v("keep", o.keep);
  v("eval_windows", o.eval_windows);
  v("div_warn", o.divergence_warning);
  v("div_crit", o.divergence_stop);
  v("prompts", o.prompts);
  v("sample_tokens", o.sample_tokens);
  v("temperature", o.temperature);
  v("events", o.events);
  v("events_every", o.events_every);
};

constexpr auto list_config = [](auto& v, auto& c) {
  v.part("model", c.recipe.model, list_model);
  v.part("training", c.recipe.options, list_training);
  v.part("vocabulary", c.recipe.vocabulary, list_vocabulary);
  v.part("run", c.options, list_run);
  v("name", c.recipe.name);
  v("corpus", c.corpus);
  v("separator", c.separator);
  v("command", c.command);
  v("threads", c.threads);
  v.later("simd", c.simd);
};

}  // namespace

std::string config_text(const RunConfig& config) {
  Json json{{"schema", schema}};
  Writer writer(json);
  list_config(writer, config);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

RunConfig parse_config(std::string_view text, const std::string& name) {
  if (text.size() > most_config_bytes) fail("{}: {} bytes are more than any run's config", name, text.size());
  bool deep = false;
  const Json json = Json::parse(
      text,
      [&](int depth, Json::parse_event_t, Json&) {
        deep = deep || depth > 8;
        return depth <= 8;
      },
      false);
  if (json.is_discarded() || deep || !json.is_object()) fail("{}: is no JSON object", name);
  Reader reader(json, name);
  std::string found;
  reader("schema", found);
  if (found != schema) fail("{}: expected schema {}, found {}", name, schema, in_quotes(found));
  RunConfig config;
  list_config(reader, config);
  return config;
}

RunConfig read_config(const Folder& run) {
  return parse_config(read_small_file(run / config_file, most_config_bytes), shown(run.path() / config_file));
}

void RunOptions::check() const {
  const auto at_least = [](const char* what, std::int64_t value, std::int64_t least) {
    if (value < least) refuse("{}: expected {} or more, found {}", what, least, value);
  };
  at_least("eval-every", eval_every, 0);
  at_least("gen-every", gen_every, 0);
  at_least("save-every", save_every, 0);
  at_least("keep", keep, 1);
  at_least("eval-windows", eval_windows, 1);
  at_least("sample-tokens", sample_tokens, 1);
  at_least("events-every", events_every, 1);
  if (!(temperature >= 0 && std::isfinite(temperature))) {
    refuse("temperature: expected 0 or more, found {}", temperature);
  }
  if (!(divergence_warning >= 0)) refuse("div-warn: expected 0 or more, found {}", divergence_warning);
  if (divergence_stop && !(*divergence_stop > 0)) refuse("div-crit: expected more than 0, found {}", *divergence_stop);
  for (const std::string& kind : events) {
    if (kind != "grad" && kind != "drift" && kind != "tap" && kind != "op_timing") {
      refuse("events: expected grad, drift, tap or op_timing, found '{}'", kind);
    }
  }
}

}  // namespace toy
