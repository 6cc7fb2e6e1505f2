#include "toy/train/estimate.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>

#include "toy/models/create.h"
#include "toy/tensor/device/trace/trace_device.h"
#include "toy/tensor/tape.h"

namespace toy {

namespace {

/// A line of /proc/self/status in bytes: VmRSS, VmHWM; 0 if it is not there.
std::int64_t status_bytes(const std::string& wanted) {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(wanted + ":")) return 1024 * std::stoll(line.substr(wanted.size() + 1));
  }
  return 0;
}

double gibibytes(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

}  // namespace

TrainingMemory training_memory(const Metadata& metadata, const TrainingOptions& options, std::int64_t context,
                               std::uint64_t corpus_bytes) {
  TraceDevice trace;
  const auto model = new_model(metadata, trace, optional_parameters(metadata));
  TrainingMemory m;
  for (const Parameter& p : parameters(*model)) m.parameters += p.value.bytes();
  m.optimizer = 2 * m.parameters;
  m.data = static_cast<std::int64_t>(corpus_bytes) * 2;

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

TrainingEstimate estimate_training(const FromScratch& recipe, const std::function<Corpus()>& texts,
                                   const CpuOptions& cpu) {
  TrainingEstimate e;
  const std::int64_t before = status_bytes("VmRSS");
  CpuDevice device(cpu);
  const ModelConfig shape = recipe.model.resolved();
  Training training = [&] {  // corpus and vocabulary are gone when the steps begin, as in a run
    const Corpus corpus = texts();
    const Vocabulary words = recipe.make_vocabulary(corpus);
    e.memory =
        training_memory(model_metadata(shape, words, recipe.name), recipe.options, shape.context, corpus.bytes());
    e.available = available_memory();
    return recipe.realize(device, corpus, words);
  }();
  double seconds = 0;
  for (int i = 0; i < TrainingEstimate::steps_tried; ++i) {
    const auto start = std::chrono::steady_clock::now();
    (void)training.step();
    // The first step also takes its memory from the system.
    if (i > 0) seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  // Corpus and vocabulary took the rest of what this very process took at most.
  const std::int64_t rest = e.memory.total() - e.memory.data;
  e.memory.data = std::max<std::int64_t>(status_bytes("VmHWM") - before - rest, 0);
  const double one = seconds / (TrainingEstimate::steps_tried - 1);
  e.seconds = one * static_cast<double>(recipe.options.steps);
  e.tokens_per_second = static_cast<double>(recipe.options.batch * recipe.options.accumulate * shape.context) / one;
  return e;
}

}  // namespace toy
