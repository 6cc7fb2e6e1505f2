#include "toy/cli/model_options.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "toy/cli/signals.h"
#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy::cli {

namespace {

/// More than any context; reading what never ends must end.
constexpr std::size_t most_text = std::size_t{64} << 20;

/// All of a file or pipe. Closes it, unless it is standard input.
std::string read_all(int descriptor, const std::string& name) {
  const auto close = [&] {
    if (descriptor != STDIN_FILENO) ::close(descriptor);
  };
  std::string text, part(1 << 16, '\0');
  for (;;) {
    const ssize_t n = ::read(descriptor, part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int reason = errno;
      close();
      fail("{}: cannot read: {}", name, std::strerror(reason));
    }
    if (n == 0) break;
    text.append(part, 0, static_cast<std::size_t>(n));
    if (text.size() > most_text) {
      close();
      fail("{}: is longer than {} MiB, the most that is read as one text", name, most_text >> 20);
    }
  }
  close();
  return text;
}

}  // namespace

std::vector<Option> device_options() {
  return {{.name = "--threads",
           .metavar = "N",
           .type = Type::integer,
           .help = "threads",
           .fallback_words =
               "one for each physical core, or fewer where a quota of processor time or OMP_NUM_THREADS says so",
           .min = 1,
           .max = 1024},
          {.name = "--simd",
           .metavar = "LEVEL[:FORM]",
           .type = Type::text,
           .help = "SIMD level, and optionally how its kernels read factors (register or memory); a wrong value lists "
                   "the valid ones",
           .fallback_words = "the best of this processor, in the faster form"},
          {.name = "--device", .metavar = "NAME", .type = Type::text, .help = "where to compute", .fallback = "cpu"}};
}

std::vector<Option> cache_options() {
  return {{.name = "--kv",
           .metavar = "TYPE",
           .type = Type::choice,
           .help = "type of the KV cache",
           .fallback = "f16",
           .choices = {"f16", "f32", "q8_0"}},
          {.name = "--context",
           .metavar = "N",
           .type = Type::integer,
           .help = "most tokens of prompt and answer together",
           .fallback_words = "what the model was trained on",
           .min = 1,
           .max = 1 << 30}};
}

std::vector<Option> join(std::vector<std::vector<Option>> lists) {
  std::vector<Option> all;
  for (auto& list : lists) std::ranges::move(list, std::back_inserter(all));
  return all;
}

std::string simd_level(const Arguments& arguments) {
  const std::string level = arguments.text("--simd").value_or("");
  const std::string problem = arguments.has("--simd") ? cpu_level_problem(level) : "";
  if (!problem.empty()) refuse("--simd: {}, found {}", problem, in_quotes(level));
  return level;
}

CpuOptions cpu_options(const Arguments& arguments) {
  const std::string device = *arguments.text("--device");
  if (device != "cpu") refuse("--device: unknown device {}; built: cpu", in_quotes(device));
  return {static_cast<int>(arguments.integer("--threads").value_or(0)), simd_level(arguments)};
}

DType kv_type(std::string_view name) {
  if (name == "f32") return DType::F32;
  return name == "q8_0" ? DType::Q8_0 : DType::F16;
}

EngineOptions engine_options(const Arguments& arguments) {
  return {.kv = kv_type(*arguments.text("--kv")), .context = arguments.integer("--context").value_or(0)};
}

void tell_notes(std::span<const std::string> notes, const Console& console) {
  constexpr std::size_t most = 20;
  for (const std::string& note : notes.first(std::min(most, notes.size()))) {
    console.note("note: {}", cut_text(note, 400));
  }
  if (notes.size() > most) console.note("note: and {} more of this kind", notes.size() - most);
}

GgufFile open_header(const ModelPath& model) {
  return GgufFile::open(model.path, {.map = false, .require_data = false, .name = model.name});
}

LanguageModel open_model(const ModelPath& model, Device& device, const Console& console) {
  GgufFile file = GgufFile::open(model.path, {.name = model.name});
  guard_mapped_files(file);
  LanguageModel lm = LanguageModel::load(std::move(file), device);
  if (lm.tokenizer) tell_notes(lm.tokenizer->notes(), console);
  tell_notes(lm.model->notes(), console);
  return lm;
}

std::string read_text(const std::string& path) {
  if (path == "-") return read_all(STDIN_FILENO, "standard input");
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail("{}: {}", shown(path), std::strerror(errno));
  return read_all(descriptor, shown(path));
}

std::string piped_text() { return ::isatty(STDIN_FILENO) == 1 ? std::string() : read_text("-"); }

void require_piped_input(std::string_view instead) {
  if (::isatty(STDIN_FILENO) == 1) refuse("there is no text: give {}, or pipe it into standard input", instead);
}

}  // namespace toy::cli
