#include "toy/train/checkpoint.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <exception>

#include "toy/io/gguf.h"
#include "toy/io/quote.h"
#include "toy/models/load.h"
#include "toy/models/save.h"
#include "toy/train/estimate.h"

namespace toy {

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::string_view schema = "toy/checkpoint-v1";
constexpr const char* shuffle_name = "data.shuffle";

/// Of bytes that follow others with the hash `hash`.
std::uint64_t fnv1a(std::span<const std::byte> bytes, std::uint64_t hash = 0xCBF29CE484222325U) {
  for (const std::byte b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 0x100000001B3U;
  return hash;
}

fs::path state_path(std::int64_t step) { return fs::path("state") / fmt::format("step-{}.gguf", step); }
fs::path sidecar_path(std::int64_t step) { return fs::path("state") / fmt::format("step-{}.json", step); }

void save_state(const Place& place, const Training& training, const FileCalls& calls) {
  Metadata metadata;
  metadata.set("general.type", "toy-training-state");
  metadata.set("toy.step", static_cast<std::uint64_t>(training.steps()));
  std::vector<TensorSource> tensors;
  const std::vector<Parameter> moments = training.optimizer().state();
  tensors.reserve(moments.size() + 1);
  for (const Parameter& m : moments) {
    tensors.push_back({m.name, m.value.shape(), m.value.dtype(),
                       std::span<const std::byte>(m.value.raw(), static_cast<std::size_t>(m.value.bytes()))});
  }
  const auto& shuffle = training.windows().state().shuffle;
  tensors.push_back(
      {shuffle_name, {static_cast<std::int64_t>(shuffle.size())}, DType::I32, std::as_bytes(std::span(shuffle))});
  write_gguf(place, metadata, tensors, {}, calls);
}

/// A member of a JSON object; errors name it.
template <class T>
T member(const Json& json, const char* key, const std::string& name) {
  const auto found = json.find(key);
  if (found == json.end()) fail("{}: '{}' is missing", name, key);
  constexpr bool text = std::is_same_v<T, std::string>, whole = std::is_integral_v<T>;
  const bool fits = text ? found->is_string() : whole ? found->is_number_integer() : found->is_number();
  if (!fits) {
    fail("{}: '{}': expected {}, found {}", name, key,
         text    ? "a text"
         : whole ? "a whole number"
                 : "a number",
         found->type_name());
  }
  if constexpr (std::is_integral_v<T>) {
    if (found->is_number_unsigned() ? found->template get<std::uint64_t>() > INT64_MAX
                                    : found->template get<std::int64_t>() < 0) {
      fail("{}: '{}': expected 0 to {}, found {}", name, key, INT64_MAX, found->dump());
    }
  }
  return found->template get<T>();
}

HashedFile file_of(const Json& json, const char* key, const std::string& name) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_object()) fail("{}: '{}': expected an object", name, key);
  HashedFile file;
  file.path = member<std::string>(*found, "file", name);
  file.bytes = static_cast<std::uint64_t>(member<std::int64_t>(*found, "bytes", name));
  const auto hash = member<std::string>(*found, "fnv1a64", name);
  const auto [end, error] = std::from_chars(hash.data(), hash.data() + hash.size(), file.hash, 16);
  if (error != std::errc() || end != hash.data() + hash.size()) {
    fail("{}: '{}': expected 16 hexadecimal digits, found {}", name, key, in_quotes(hash));
  }
  const bool inside = file.path.is_relative() && std::ranges::find(file.path, fs::path("..")) == file.path.end();
  if (!inside) fail("{}: '{}': {} is outside the run", name, key, in_quotes(file.path.string()));
  return file;
}

Json json_of(const HashedFile& file) {
  return {{"file", file.path.generic_string()}, {"bytes", file.bytes}, {"fnv1a64", fmt::format("{:016x}", file.hash)}};
}

Json json_of(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

/// The number without a fraction where it has none.
Json whole_if_it_is(double x) {
  return x == std::floor(x) && x < 0x1p53 ? Json(static_cast<std::int64_t>(x)) : Json(x);
}

std::optional<double> optional_number(const Json& json, const char* key, const std::string& name) {
  if (!json.contains(key) || json.at(key).is_null()) return std::nullopt;
  return member<double>(json, key, name);
}

/// A part of the run; nothing if it has none. Errors: it is a link or a file.
std::optional<Folder> part_of(const Folder& run, const fs::path& name) {
  if (!run.has(name)) return std::nullopt;
  return run.below(name);
}

void check_file(const Folder& run, const HashedFile& expected) {
  const HashedFile found = hashed_file(run, expected.path);
  if (found.bytes != expected.bytes) {
    fail("{}: expected {} bytes, found {}", shown(run.path() / expected.path), expected.bytes, found.bytes);
  }
  if (found.hash != expected.hash)
    fail("{}: its bytes have changed since it was saved", shown(run.path() / expected.path));
}

void restore_moments(const GgufFile& file, const Optimizer& optimizer) {
  const std::vector<Parameter> moments = optimizer.state();
  for (const Parameter& m : moments) {
    const TensorInfo* tensor = file.find(m.name);
    if (tensor == nullptr) fail("{}: tensor {} is missing", file.path().string(), m.name);
    if (tensor->shape != m.value.shape() || tensor->dtype != m.value.dtype()) {
      fail("{}: tensor {}: expected {} {}, found {} {}", file.path().string(), m.name, name(m.value.dtype()),
           m.value.shape().str(), name(tensor->dtype), tensor->shape.str());
    }
    std::ranges::copy(file.data(*tensor), m.value.raw());
  }
}

std::vector<std::int32_t> read_shuffle(const GgufFile& file) {
  const TensorInfo* tensor = file.find(shuffle_name);
  if (tensor == nullptr || tensor->dtype != DType::I32) {
    fail("{}: tensor {} is missing", file.path().string(), shuffle_name);
  }
  std::vector<std::int32_t> shuffle(static_cast<std::size_t>(tensor->shape.elements()));
  const auto bytes = file.data(*tensor);
  if (!bytes.empty()) std::memcpy(shuffle.data(), bytes.data(), bytes.size());
  return shuffle;
}

Json json_of(const Checkpoint& c) {
  return {{"schema", schema},
          {"step", c.step},
          {"weights", json_of(c.weights)},
          {"state", json_of(c.state)},
          {"tokens", json_of(c.tokens)},
          {"log_bytes", c.log_bytes},
          {"data", {{"epoch", c.epoch}, {"position", c.position}, {"offset", c.offset}}},
          {"monitor", {{"loss_sum", c.loss_sum}, {"loss_count", whole_if_it_is(c.loss_weight)}}},
          {"validation_loss", json_of(c.validation_loss)},
          {"best", {{"step", c.best_step}, {"validation_loss", json_of(c.best_loss)}}}};
}

/// The hash of everything that a sidecar says, whatever its spaces.
std::string hash_of(const Checkpoint& c) {
  const std::string text = json_of(c).dump();
  return fmt::format("{:016x}", fnv1a(std::as_bytes(std::span(text))));
}

}  // namespace

fs::path weights_path(std::int64_t step) { return fs::path("weights") / fmt::format("step-{}.gguf", step); }

std::optional<std::int64_t> checkpoint_step(const fs::path& file) {
  const std::string name = file.stem().string();
  if (!name.starts_with("step-") || (file.extension() != ".gguf" && file.extension() != ".json")) return std::nullopt;
  std::int64_t step = 0;
  const auto [rest, wrong] = std::from_chars(name.data() + 5, name.data() + name.size(), step);
  if (wrong != std::errc() || rest != name.data() + name.size() || step < 0) return std::nullopt;
  return step;
}

std::string checkpoint_text(const Checkpoint& c) {
  Json json = json_of(c);
  json["fnv1a64"] = hash_of(c);
  return json.dump(2) + "\n";
}

Checkpoint parse_checkpoint(std::string_view text, const std::string& name) {
  constexpr std::size_t most = 1 << 16;
  if (text.size() > most) fail("{}: {} bytes are more than any checkpoint's sidecar", name, text.size());
  int depth = 0;
  const Json json = Json::parse(
      text,
      [&](int d, Json::parse_event_t, Json&) {
        depth = std::max(depth, d);
        return d < 8;
      },
      false);
  if (json.is_discarded() || !json.is_object() || depth >= 8) fail("{}: is no JSON object", name);
  if (const auto found = member<std::string>(json, "schema", name); found != schema) {
    fail("{}: expected schema {}, found {}", name, schema, in_quotes(found));
  }
  const auto part = [&](const char* key) -> const Json& {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_object()) fail("{}: '{}': expected an object", name, key);
    return *found;
  };
  Checkpoint c;
  c.step = member<std::int64_t>(json, "step", name);
  c.weights = file_of(json, "weights", name);
  c.state = file_of(json, "state", name);
  if (json.contains("tokens")) c.tokens = file_of(json, "tokens", name);
  c.log_bytes = static_cast<std::uint64_t>(member<std::int64_t>(json, "log_bytes", name));
  c.epoch = member<std::int64_t>(part("data"), "epoch", name);
  c.position = member<std::int64_t>(part("data"), "position", name);
  c.offset = member<std::int64_t>(part("data"), "offset", name);
  c.loss_sum = member<double>(part("monitor"), "loss_sum", name);
  c.loss_weight = member<double>(part("monitor"), "loss_count", name);
  if (!(c.loss_weight >= 0)) fail("{}: 'loss_count': expected 0 or more, found {}", name, c.loss_weight);
  c.validation_loss = optional_number(json, "validation_loss", name);
  c.best_step = member<std::int64_t>(part("best"), "step", name);
  c.best_loss = optional_number(part("best"), "validation_loss", name);
  // Older sidecars have none.
  if (json.contains("fnv1a64") && member<std::string>(json, "fnv1a64", name) != hash_of(c)) {
    fail("{}: what it says has changed since it was saved", name);
  }
  return c;
}

HashedFile hashed_file(const Folder& run, const fs::path& relative) {
  const InputFile file(run / relative);
  std::vector<std::byte> part(1 << 16);  // a map of the whole would count as memory of the run
  HashedFile hashed{relative, file.size(), fnv1a({})};
  for (std::uint64_t at = 0; at < file.size(); at += part.size()) {
    part.resize(std::min<std::uint64_t>(part.size(), file.size() - at));
    file.read_at(at, part);
    hashed.hash = fnv1a(part, hashed.hash);
  }
  return hashed;
}

void save_checkpoint(const Folder& run, const Training& training, Checkpoint c, const FileCalls& calls) {
  c.step = training.steps();
  (void)run.made("weights");
  (void)run.made("state");
  save_model(run / weights_path(c.step), training.model(), training.metadata(), DType::F32, calls);
  save_state(run / state_path(c.step), training, calls);
  c.weights = hashed_file(run, weights_path(c.step));
  c.state = hashed_file(run, state_path(c.step));
  const auto& windows = training.windows().state();
  c.epoch = windows.epoch;
  c.position = windows.position;
  c.offset = windows.offset;
  save_sidecar(run, c, calls);
}

void save_sidecar(const Folder& run, const Checkpoint& c, const FileCalls& calls) {
  write_atomically(run / sidecar_path(c.step), checkpoint_text(c), calls);
}

std::vector<std::int64_t> checkpoint_steps(const Folder& run) {
  std::vector<std::int64_t> steps;
  const auto state = part_of(run, "state");
  for (const std::string& name : state ? state->names() : std::vector<std::string>()) {
    if (!name.ends_with(".json")) continue;
    if (const auto step = checkpoint_step(name)) steps.push_back(*step);
  }
  std::ranges::sort(steps);
  return steps;
}

void tidy_checkpoints(const Folder& run, std::int64_t newest, std::int64_t reached) {
  for (const char* name : {".", "data", "weights", "state"}) {
    const auto part = part_of(run, name);
    for (const std::string& file : part ? part->names() : std::vector<std::string>()) {
      if (is_temporary(file)) (void)part->remove(file);
    }
  }
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  for (const char* name : {"weights", "state"}) {
    const auto part = part_of(run, name);
    for (const std::string& file : part ? part->names() : std::vector<std::string>()) {
      const auto step = checkpoint_step(file);
      if (!step) continue;
      if (std::ranges::find(steps, *step) == steps.end()) {
        if (*step <= std::max(newest, reached)) (void)part->remove(file);
      } else if (*step > newest) {
        (void)part->rename(file, file + ".damaged");
      }
    }
  }
}

void prune_checkpoints(const Folder& run, std::int64_t keep, std::int64_t best_step) {
  std::vector<std::int64_t> steps = checkpoint_steps(run);
  const auto newest = std::max<std::int64_t>(keep, 1);
  for (std::int64_t i = 0; i + newest < static_cast<std::int64_t>(steps.size()); ++i) {
    const std::int64_t step = steps[static_cast<std::size_t>(i)];
    if (step == best_step) continue;
    // The sidecar first: without it the step does not exist.
    for (const fs::path& file : {sidecar_path(step), state_path(step), weights_path(step)}) {
      const auto part = part_of(run, file.parent_path());
      if (part) (void)part->remove(file.filename());
    }
  }
}

Checkpoint open_checkpoint(const Folder& run, std::int64_t step) {
  const fs::path path = run.path() / sidecar_path(step);
  constexpr std::uint64_t most = 1 << 16;  // more than any has
  Checkpoint c = parse_checkpoint(read_small_file(run / sidecar_path(step), most), shown(path));
  if (c.step != step) fail("{}: expected step {}, found {}", shown(path), step, c.step);
  check_file(run, c.weights);
  check_file(run, c.state);
  if (!c.tokens.path.empty()) check_file(run, c.tokens);
  return c;
}

namespace {

/// Tries the checkpoints from the newest on. Returns the newer ones that are damaged, each with the reason.
template <class Try>
std::vector<std::string> first_good(const Folder& run, const Try& attempt) {
  std::vector<std::string> skipped;
  const std::vector<std::int64_t> steps = checkpoint_steps(run);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    try {
      attempt(*step);
      return skipped;
    } catch (const Error& error) {
      if (error.fault() == Fault::asked_wrongly) throw;
      skipped.emplace_back(error.what());
    }
  }
  fail("{}: no complete checkpoint{}{}", shown(run.path()), skipped.empty() ? "" : ": ",
       skipped.empty() ? "" : skipped.front());
}

Training training_at(const Folder& run, const Checkpoint& c, const fs::path& tokens, Device& device,
                     const TrainingOptions& options) {
  const GgufFile weights = GgufFile::open(run / c.weights.path);
  auto model = load_model(weights, device, Use::training);
  const std::int64_t context = model->sizes().context;
  Training training({&device, weights.metadata(), std::move(model), Tokenizer::from_metadata(weights.metadata()),
                     TokenData::open(run / tokens)},
                    context, options);
  const GgufFile state = GgufFile::open(run / c.state.path);
  restore_moments(state, training.optimizer());
  training.optimizer().resume(c.step);
  auto shuffle = read_shuffle(state);
  try {
    training.windows().restore({c.epoch, c.position, c.offset, std::move(shuffle)});
  } catch (const Error& error) {
    fail("{}: {}", shown(run.path() / sidecar_path(c.step)), error.what());
  }
  return training;
}

}  // namespace

FoundCheckpoint newest_checkpoint(const Folder& run) {
  FoundCheckpoint found;
  found.skipped = first_good(run, [&](std::int64_t step) { found.checkpoint = open_checkpoint(run, step); });
  return found;
}

RestoredTraining restore_training(const Folder& run, const fs::path& tokens, Device& device,
                                  const TrainingOptions& options) {
  RestoredTraining restored;
  std::exception_ptr too_large;
  restored.skipped = first_good(run, [&](std::int64_t step) {
    const Checkpoint c = open_checkpoint(run, step);
    if (options.steps < c.step) {
      refuse("steps: the run has done {} already; expected no less, found {}", c.step, options.steps);
    }
    const TrainingMemory needed = training_memory(GgufFile::open(run / c.weights.path).metadata(), options, {});
    try {
      require_memory(needed);
    } catch (const Error&) {
      too_large = std::current_exception();  // no checkpoint of the run would need less
      return;
    }
    restored.training = std::make_unique<Training>(training_at(run, c, tokens, device, options));
    restored.checkpoint = c;
  });
  if (too_large) std::rethrow_exception(too_large);
  return restored;
}

}  // namespace toy
