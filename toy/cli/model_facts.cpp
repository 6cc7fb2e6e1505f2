#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "toy/cli/caches.h"
#include "toy/io/gguf.h"
#include "toy/io/quote.h"
#include "toy/models/file_kind.h"
#include "toy/models/load.h"

namespace toy::cli {

namespace {

/// Names of general.file_type, where it says more than the type of most weights.
constexpr std::array<std::pair<std::int64_t, std::string_view>, 9> mixed_types{{{10, "Q2_K"},
                                                                                {11, "Q3_K_S"},
                                                                                {12, "Q3_K_M"},
                                                                                {13, "Q3_K_L"},
                                                                                {14, "Q4_K_S"},
                                                                                {15, "Q4_K_M"},
                                                                                {16, "Q5_K_S"},
                                                                                {17, "Q5_K_M"},
                                                                                {18, "Q6_K"}}};

/// The mix that general.file_type names, or else the type of most weights.
std::string quantization_of(const GgufFile& file) {
  const MetaValue* const stored = file.metadata().value("general.file_type");
  if (stored != nullptr && stored->type == ValueType::U32) {
    const auto type = file.metadata().get<std::int64_t>("general.file_type");
    for (const auto& [number, text] : mixed_types) {
      if (number == type) return std::string(text);
    }
  }
  std::map<DType, std::int64_t> weights;
  for (const TensorInfo& t : file.tensors()) weights[t.dtype] += t.shape.elements();
  const auto most = std::ranges::max_element(weights, {}, [](const auto& entry) { return entry.second; });
  return most == weights.end() ? "" : std::string(name(most->first));
}

/// FNV-1a of the size, the beginning and the end of a file.
std::uint64_t fingerprint_of(const std::filesystem::path& path) {
  constexpr std::uint64_t most = 64 << 10;
  std::uint64_t hash = 14695981039346656037u;
  const auto mix = [&](std::span<const std::byte> bytes) {
    for (const std::byte b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 1099511628211u;
  };
  const InputFile file(path);
  const std::uint64_t size = file.size();
  std::vector<std::byte> part(static_cast<std::size_t>(std::min(most, size)));
  mix(std::as_bytes(std::span(&size, 1)));
  file.read_at(0, part);
  mix(part);
  file.read_at(size - part.size(), part);
  mix(part);
  return hash;
}

/// Whether this program runs the model: its modules are made without elements.
std::string obstacle_of(const GgufFile& file) {
  try {
    TraceDevice trace;
    (void)trace_model(file, trace);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

ModelFacts read_facts(const std::filesystem::path& path) {
  const GgufFile file = GgufFile::open(path, {.map = false, .require_data = true});
  const Metadata& metadata = require_model(file);
  ModelFacts facts;
  facts.obstacle = obstacle_of(file);
  facts.architecture = metadata.get_or<std::string>("general.architecture", "");
  facts.quantization = quantization_of(file);
  for (const TensorInfo& t : file.tensors()) facts.parameters += t.shape.elements();
  facts.bytes = static_cast<std::int64_t>(file.file_bytes());
  facts.context = metadata.get_count_or(facts.architecture + ".context_length", 0, 0, std::int64_t{1} << 40);
  facts.shards = static_cast<int>(file.paths().size());
  facts.fingerprint = fingerprint_of(path);
  return facts;
}

}  // namespace toy::cli
