// What the verbs that open a model have in common.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "toy/cli/arguments.h"
#include "toy/cli/console.h"
#include "toy/cli/registry.h"
#include "toy/generate/engine.h"
#include "toy/generate/language_model.h"
#include "toy/generate/memory.h"
#include "toy/tensor/device/cpu/cpu_device.h"

namespace toy::cli {

Positional model_positional();
/// --threads, --simd, --device
std::vector<Option> device_options();
/// --kv, --context
std::vector<Option> cache_options();
/// The lists one after the other.
std::vector<Option> join(std::vector<std::vector<Option>> lists);

/// The value of --simd; empty if it is not given. Errors: a level or form that is not available here (names those that
/// are).
std::string simd_level(const Arguments& arguments);
/// Errors: a device that this build does not have (names those it has), as simd_level().
CpuOptions cpu_options(const Arguments& arguments);
EngineOptions engine_options(const Arguments& arguments);
/// F16, F32 or Q8_0 for "f16", "f32", "q8_0".
DType kv_type(std::string_view name);

/// Where a model is, and what messages call it: empty for its path.
struct ModelPath {
  std::filesystem::path path;
  std::string name{};
};
/// The file that MODEL names: a path, the one model of that name which `list` shows, the newest of a run, or the one
/// inside the program.
ModelPath find_model(const Arguments& arguments, const Console& console);
/// Opens it on the device; tells what was repaired or replaced by a default.
LanguageModel open_model(const ModelPath& model, Device& device, const Console& console);
/// Opens its header alone.
GgufFile open_header(const ModelPath& model);
/// Notes of a file on stderr: the first of them, each cut, for a file may give thousands.
void tell_notes(std::span<const std::string> notes, const Console& console);

/// The bytes of a file, or of standard input for "-". Errors: it cannot be read.
std::string read_text(const std::string& path);
/// What was piped into standard input; empty if that is a terminal, or has nothing.
std::string piped_text();
/// Refuses to wait for a text to be typed: standard input must not be a terminal. `instead` says what to give.
void require_piped_input(std::string_view instead);

}  // namespace toy::cli
