#include "toy/train/estimate.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <fstream>
#include <optional>
#include <string>

#include "toy/io/gguf.h"
#include "toy/models/create.h"
#include "toy/tensor/device/trace/trace_device.h"
#include "toy/tensor/tape.h"
#include "toy/text/train_bpe.h"

namespace toy {

namespace {

double gibibytes(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

/// What a model's file holds beside its tensors, most of it the vocabulary; 0 where it cannot be read.
std::uint64_t header_bytes(const std::string& path) {
  try {
    const GgufFile file = GgufFile::open(path, {.map = false, .require_data = false});
    std::uint64_t bytes = file.file_bytes() + file.missing_bytes();
    for (const TensorInfo& tensor : file.tensors()) bytes -= std::min(bytes, tensor.bytes);
    return bytes;
  } catch (const Error&) {
    return 0;  // making the vocabulary will say why
  }
}

}  // namespace

double expected_ids(const Tokenizer& tokenizer, std::span<const std::string_view> texts) {
  constexpr std::uint64_t samples = 32, length = 4096;  // bytes of a sample, which may go on over several texts
  std::uint64_t all = 0, begin = 0, next = 0, left = 0, read = 0, ids = 0;
  for (const std::string_view text : texts) all += text.size();
  for (std::string_view text : texts) {
    const std::uint64_t end = begin + text.size();
    while (!text.empty() && (left > 0 || next < end)) {
      if (left == 0) {
        text.remove_prefix(std::max(next, begin) - begin);
        begin = end - text.size();
        left = length;
        next = begin + std::max(length, all / samples);
      }
      const std::string_view sample = text.substr(0, left);
      ids += tokenizer.encode(sample, {.add_special = false}).size();
      read += sample.size();
      left -= sample.size();
      text.remove_prefix(sample.size());
      begin += sample.size();
    }
    begin = end;
  }
  if (read == 0) return 0;
  const int marks = (tokenizer.bos() ? 1 : 0) + (tokenizer.eos() ? 1 : 0);
  return static_cast<double>(all) * static_cast<double>(ids) / static_cast<double>(read) +
         static_cast<double>(texts.size()) * marks;
}

DataMemory data_memory(const VocabularyOptions& vocabulary, std::span<const std::string_view> texts,
                       const Tokenizer* tokenizer) {
  std::int64_t program = 6 << 20;  // its pages, the stacks of its threads
  double bytes = 0, learning = 0, guess = 2;
  for (const std::string_view text : texts) bytes += static_cast<double>(text.size());
  if (vocabulary.kind == "bpe") {
    const std::int64_t pieces =
        tokenizer != nullptr ? std::min<std::int64_t>(vocabulary.merges, tokenizer->size()) : vocabulary.merges;
    learning = bytes + static_cast<double>(bpe_bytes(texts, pieces));
    guess = 1;
  } else if (vocabulary.kind != "char" && vocabulary.kind != "byte") {
    constexpr double kept = 3.1;  // bytes of a tokenizer in memory for one in its file, of 32,000 pieces and of 128,000
    program += static_cast<std::int64_t>(kept * static_cast<double>(header_bytes(vocabulary.kind)));
    guess = 1;
  }
  const double ids = tokenizer == nullptr
                         ? guess * bytes
                         : static_cast<double>(id_width(tokenizer->size())) * expected_ids(*tokenizer, texts);
  // The places where texts begin: in the corpus, while the ids are made, and with them.
  constexpr double places = 32, kept_places = 8;
  const auto count = static_cast<double>(texts.size());
  return {program + static_cast<std::int64_t>(std::max(learning, bytes + ids) + places * count),
          program + static_cast<std::int64_t>(ids + kept_places * count)};
}

TrainingMemory training_memory(const Metadata& metadata, const TrainingOptions& options, const DataMemory& data) {
  TraceDevice trace;
  const auto model = new_model(metadata, trace, optional_parameters(metadata));
  TrainingMemory m;
  for (const Parameter& p : parameters(*model)) m.parameters += p.value.bytes();
  m.optimizer = 2 * m.parameters;

  const std::int64_t context = model->sizes().context;
  constexpr std::int64_t most = 1 << 27;
  if (options.batch > most / context) {
    refuse("batch-size {} times context {}: expected at most {} tokens in a forward", options.batch, context, most);
  }
  // One step on a device that only counts: forward, loss, and the way back.
  Batch batch;
  batch.ids.assign(static_cast<std::size_t>(options.batch * context), 0);
  for (std::int64_t i = 0; i < options.batch; ++i) batch.segments.push_back({i * context, context, 0});
  Tape tape(trace, options.tape());
  Context ctx(trace, std::move(batch));
  const Tensor targets = Tensor::empty(trace, {options.batch * context}, DType::I32);
  tape.backward(model->loss(model->forward(ctx), targets));
  for (const Parameter& p : parameters(*model)) m.gradients += tape.gradient(p.value) ? p.value.bytes() : 0;
  m.activations = trace.peak_bytes() - m.gradients;
  // Beside the gradients of a micro-batch live the partial sums of those before it, at most log2 of their number.
  m.gradients *= std::bit_width(static_cast<std::uint64_t>(options.accumulate));
  // Tensors that come and go leave gaps: 7 % of it, of widths from 128 to 288, and 5 % at 512.
  if (options.recompute) m.activations += m.activations * 7 / 100;
  m.data = std::max(data.kept, data.preparing - m.total());
  return m;
}

std::int64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  for (std::int64_t kibibytes = 0; file >> key >> kibibytes >> unit;) {
    if (key == "MemAvailable:") return kibibytes * 1024;
  }
  return 0;
}

void require_memory(const TrainingMemory& m) {
  const std::int64_t available = available_memory();
  if (available == 0 || m.total() <= available) return;
  fail(
      "not enough memory: training takes about {:.1f} GiB (parameters and moments {:.1f}, activations {:.1f}), {:.1f} "
      "GiB are free; a smaller batch-size, context or model needs less",
      gibibytes(m.total()), gibibytes(m.parameters + m.gradients + m.optimizer), gibibytes(m.activations),
      gibibytes(available));
}

void require_memory(const DataMemory& m, std::uint64_t corpus_bytes) {
  const std::int64_t available = available_memory();
  if (available == 0 || m.preparing <= available) return;
  fail("not enough memory: preparing {:.1f} GiB of text takes about {:.1f} GiB, {:.1f} GiB are free",
       gibibytes(static_cast<std::int64_t>(corpus_bytes)), gibibytes(m.preparing), gibibytes(available));
}

std::optional<TrainingTime> time_training(const FromScratch& recipe, const Corpus& corpus, const Vocabulary& words,
                                          const CpuOptions& cpu, const std::stop_token& cancel, double least_seconds) {
  constexpr std::int64_t most_tokens = 16384;
  constexpr int enough_steps = 3;
  constexpr double long_enough = 5;  // seconds
  FromScratch tried = recipe;
  const std::int64_t context = recipe.model.resolved().context;
  tried.options.accumulate = 1;
  tried.options.batch = std::clamp(most_tokens / context, std::int64_t{1}, recipe.options.batch);
  CpuDevice device(cpu);
  Training training = tried.realize(device, corpus, words);
  double seconds = 0;
  std::int64_t timed = 0;
  for (int i = 0; (i < enough_steps || seconds < least_seconds) && !cancel.stop_requested(); ++i) {
    const auto start = std::chrono::steady_clock::now();
    (void)training.step();
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const bool last = took > long_enough;
    if (i == 0 && !last) continue;  // the first step also takes its memory from the system
    seconds += took;
    ++timed;
    if (last) break;
  }
  if (timed == 0) return std::nullopt;
  const double speed = static_cast<double>(timed * tried.options.batch * context) / seconds;
  const auto tokens = static_cast<double>(recipe.options.batch * recipe.options.accumulate * context);
  return TrainingTime{static_cast<double>(recipe.options.steps) * tokens / speed, speed};
}

std::int64_t steps_within(double seconds, double tokens_per_second, double tokens_of_a_step,
                          const ValidationTokens& validation) {
  constexpr double most = 1 << 30;
  double of_a_step = tokens_of_a_step;
  if (validation.every_steps > 0) of_a_step += validation.each / 3 / validation.every_steps;
  const double left = seconds * tokens_per_second - (validation.each + validation.at_the_end) / 3;
  return static_cast<std::int64_t>(std::clamp(left / of_a_step, 1.0, most));
}

}  // namespace toy
