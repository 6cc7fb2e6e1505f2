// toy bench: how fast a model runs, beside what the machine can do.
#include <algorithm>
#include <chrono>
#include <numeric>

#include "toy/cli/format.h"
#include "toy/cli/json.h"
#include "toy/cli/model_options.h"
#include "toy/cli/signals.h"
#include "toy/cli/trace_text.h"
#include "toy/cli/verbs/bench_machine.h"
#include "toy/io/plural.h"
#include "toy/tensor/device/cpu/machine.h"

namespace toy::cli {

namespace {

using Clock = std::chrono::steady_clock;

/// What is measured.
struct Plan {
  std::int64_t prefill, decode;
  int repetitions;
  std::vector<std::int32_t> threads;
};

struct Result {
  std::string_view kind;
  std::int64_t tokens;
  int threads;
  std::vector<double> speeds;      // tokens per second, one per repetition
  std::vector<double> bandwidths;  // bytes per second, read beside each
  ForwardCost cost;                // of all the tokens
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// Token ids that are the same in every run: a linear congruential generator.
std::vector<std::int32_t> random_ids(std::int64_t count, std::int64_t vocabulary) {
  std::vector<std::int32_t> ids;
  std::uint64_t state = 1;
  for (std::int64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    ids.push_back(static_cast<std::int32_t>((state >> 33) % static_cast<std::uint64_t>(vocabulary)));
  }
  return ids;
}

/// Runs the plan's work once; the speed in tokens per second, or 0 when it was interrupted.
class Work {
 public:
  Work(const LanguageModel& lm, const EngineOptions& options, const std::stop_token& cancel)
      : engine_(*lm.model, *lm.device, options), cancel_(cancel) {}

  double prefill(std::int64_t tokens) {
    const auto ids = random_ids(tokens, engine_.vocabulary());
    KVCache sequence = engine_.sequence();
    const auto start = Clock::now();
    const Tensor logits = engine_.prefill(sequence, ids, [&] { return !cancel_.stop_requested(); });
    return logits ? speed(tokens, start) : 0;
  }

  double decode(std::int64_t tokens) {
    const auto ids = random_ids(tokens, engine_.vocabulary());
    KVCache sequence = engine_.sequence();
    KVCache* const one = &sequence;
    const auto start = Clock::now();
    for (const std::int32_t& id : ids) {
      if (cancel_.stop_requested()) return 0;
      (void)engine_.decode({&one, 1}, {&id, 1});
    }
    return speed(tokens, start);
  }

 private:
  static double speed(std::int64_t tokens, Clock::time_point start) {
    return static_cast<double>(tokens) / std::chrono::duration<double>(Clock::now() - start).count();
  }

  Engine engine_;
  std::stop_token cancel_;
};

ForwardCost prefill_cost(const GgufFile& file, std::int64_t tokens, std::int64_t chunk) {
  ForwardCost sum;
  for (std::int64_t at = 0; at < tokens; at += chunk) {
    const ForwardCost one = forward_cost(file, std::min(chunk, tokens - at), at);
    sum.flops += one.flops;
    sum.weight_bytes += one.weight_bytes;
  }
  return sum;
}

ForwardCost decode_cost(const GgufFile& file, std::int64_t tokens) {
  const ForwardCost middle = forward_cost(file, 1, tokens / 2);  // the work grows linearly with the past
  const auto n = static_cast<double>(tokens);
  return {middle.flops * n, middle.weight_bytes * n};
}

/// Measures, with the read bandwidth sampled beside every repetition.
void measure(Result& result, int repetitions, const cpu::ReadBandwidth& bandwidth,
             const std::function<double()>& once) {
  for (int i = 0; i < repetitions; ++i) {
    const double before = bandwidth(result.threads);
    const double speed = once();
    if (speed == 0) return;
    result.speeds.push_back(speed);
    result.bandwidths.push_back((before + bandwidth(result.threads)) / 2);
  }
}

std::vector<Result> run_plan(const Plan& plan, const LanguageModel& lm, CpuDevice& device, const EngineOptions& options,
                             const cpu::ReadBandwidth& bandwidth, const std::stop_token& cancel) {
  std::vector<Result> results;
  Work work(lm, options, cancel);
  for (const int threads : plan.threads) {
    device.set_threads(threads);
    if (plan.prefill > 0) {
      Result& r = results.emplace_back(
          Result{"prefill", plan.prefill, threads, {}, {}, prefill_cost(lm.file, plan.prefill, options.chunk)});
      (void)work.prefill(plan.prefill);
      measure(r, plan.repetitions, bandwidth, [&] { return work.prefill(plan.prefill); });
    }
    if (plan.decode > 0) {
      Result& r =
          results.emplace_back(Result{"decode", plan.decode, threads, {}, {}, decode_cost(lm.file, plan.decode)});
      (void)work.decode(std::min<std::int64_t>(plan.decode, 16));
      measure(r, plan.repetitions, bandwidth, [&] { return work.decode(plan.decode); });
    }
  }
  std::erase_if(results, [](const Result& r) { return r.speeds.empty(); });
  return results;
}

double bytes_per_second(const Result& r) {
  return median(r.speeds) * r.cost.weight_bytes / static_cast<double>(r.tokens);
}

double operations_per_second(const Result& r) {
  return median(r.speeds) * r.cost.flops / static_cast<double>(r.tokens);
}

double of_bandwidth(const Result& r) {
  std::vector<double> shares;
  for (std::size_t i = 0; i < r.speeds.size(); ++i) {
    shares.push_back(r.speeds[i] * r.cost.weight_bytes / static_cast<double>(r.tokens) / r.bandwidths[i]);
  }
  return median(shares);
}

Json result_json(const Result& r) {
  return {{"kind", r.kind},
          {"tokens", r.tokens},
          {"threads", r.threads},
          {"tokens_per_second", median(r.speeds)},
          {"tokens_per_second_min", std::ranges::min(r.speeds)},
          {"tokens_per_second_max", std::ranges::max(r.speeds)},
          {"repetitions", r.speeds.size()},
          {"gigabytes_per_second", bytes_per_second(r) * 1e-9},
          {"teraops_per_second", operations_per_second(r) * 1e-12},
          {"read_gigabytes_per_second", median(r.bandwidths) * 1e-9},
          {"of_bandwidth", of_bandwidth(r)}};
}

struct Machine {
  std::string processor;
  std::string simd;
  int cores, threads;
  double bandwidth, f32;
};

void print_results(const std::vector<Result>& results, const Machine& m, Console& console) {
  std::vector<std::vector<std::string>> rows{
      {"test", "threads", "tokens/s", "min", "max", "weights GB/s", "TOP/s", "of bandwidth"}};
  for (const Result& r : results) {
    rows.push_back(
        {fmt::format("{} {}", r.kind, r.tokens), std::to_string(r.threads), fmt::format("{:.1f}", median(r.speeds)),
         fmt::format("{:.1f}", std::ranges::min(r.speeds)), fmt::format("{:.1f}", std::ranges::max(r.speeds)),
         fmt::format("{:.1f}", bytes_per_second(r) * 1e-9), fmt::format("{:.3f}", operations_per_second(r) * 1e-12),
         r.kind == "decode" ? fmt::format("{:.0f} %", 100 * of_bandwidth(r)) : "-"});
  }
  console.print(table(rows, "lrrrrrrr"));
  console.print("{}, {} physical {}, SIMD level {}; with {} {}: reads {:.1f} GB/s, f32 peak {:.0f} GFLOP/s\n",
                one_line(m.processor), m.cores, plural(m.cores, "core"), m.simd, m.threads, plural(m.threads, "thread"),
                m.bandwidth * 1e-9, m.f32 * 1e-9);
}

void run(const Arguments& a, Console& console) {
  Plan plan{*a.integer("--prefill"), *a.integer("--decode"), static_cast<int>(*a.integer("--repetitions")),
            a.integers("--threads").value_or(std::vector<std::int32_t>{default_threads()})};
  if (a.has("--machine")) {
    if (!a.positionals().empty()) refuse("--machine: measures no model; expected no MODEL");
    return bench_machine(a, std::ranges::max(plan.threads), console);
  }
  if (plan.prefill == 0 && plan.decode == 0) refuse("nothing to measure: --prefill and --decode are both 0");
  const ModelPath found = find_model(a, console);
  const Interrupt interrupt;
  CpuDevice device({.threads = std::ranges::max(plan.threads), .simd_level = simd_level(a)});
  const LanguageModel lm = open_model(found, device, console);
  EngineOptions options{.kv = kv_type(*a.text("--kv"))};
  const std::int64_t trained = lm.model->sizes().context, needed = std::max(plan.prefill, plan.decode);
  if (needed > trained) console.note("note: {} tokens are beyond the context of {}", needed, trained);
  options.context = std::max(trained, needed);

  const cpu::ReadBandwidth bandwidth;
  const auto results = run_plan(plan, lm, device, options, bandwidth, interrupt.token());
  const int threads = std::ranges::max(plan.threads);
  const Machine machine{cpu::processor_name(), std::string(device.simd_level()),           physical_cores(), threads,
                        bandwidth(threads),    cpu::f32_peak(threads, device.simd_level())};
  if (a.has("--json")) {
    Json list = Json::array();
    for (const Result& r : results) list.push_back(result_json(r));
    return console.print(line_of({{"results", list},
                                  {"machine",
                                   {{"processor", machine.processor},
                                    {"simd", machine.simd},
                                    {"physical_cores", machine.cores},
                                    {"threads", machine.threads},
                                    {"read_gigabytes_per_second", machine.bandwidth * 1e-9},
                                    {"f32_gigaflops", machine.f32 * 1e-9}}},
                                  {"interrupted", interrupt.token().stop_requested()}}));
  }
  print_results(results, machine, console);
  if (interrupt.token().stop_requested()) console.print("interrupted: what was not measured is missing\n");
}

std::vector<Option> own_options() {
  return {{.name = "--machine", .help = "no model: what each SIMD level of this processor can do, and in which form"},
          {.name = "--prefill",
           .metavar = "N",
           .type = Type::integer,
           .help = "tokens of the prompt, read together; 0: do not measure",
           .brief = "-p",
           .fallback = "512",
           .min = 0,
           .max = 1 << 20},
          {.name = "--decode",
           .metavar = "N",
           .type = Type::integer,
           .help = "tokens decoded one by one; 0: do not measure",
           .brief = "-n",
           .fallback = "64",
           .min = 0,
           .max = 1 << 20},
          {.name = "--threads",
           .metavar = "N,N",
           .type = Type::integers,
           .help = "numbers of threads to try",
           .brief = "-t",
           .fallback_words =
               "one for each physical core, or fewer where a quota of processor time or OMP_NUM_THREADS says so",
           .min = 1,
           .max = 1024},
          {.name = "--repetitions",
           .metavar = "N",
           .type = Type::integer,
           .help = "runs of each test after the warm-up; the median counts",
           .brief = "-r",
           .fallback = "3",
           .min = 1,
           .max = 1000}};
}

/// The options of a computing verb without those that bench decides itself.
std::vector<Option> shared_options() {
  std::vector<Option> options = join({cache_options(), device_options()});
  std::erase_if(options, [](const Option& o) { return o.name == "--threads" || o.name == "--context"; });
  return options;
}

}  // namespace

Verb bench_verb() {
  return {.name = "bench",
          .summary = "measure how fast a model runs, beside what the machine can do",
          .details =
              "Random tokens of a fixed seed. prefill reads a prompt in chunks of 512 and computes the logits of "
              "its last row; decode starts from an empty sequence. The read bandwidth is sampled beside every "
              "repetition. --machine prints shares of peak: operations per second of a kernel, divided by those of a "
              "loop of multiply-adds on registers alone, which nothing in f32 can exceed.",
          .positionals = {model_positional()},
          .options = join({own_options(), shared_options()}),
          .json = {{"",
                    {{"results", "array", "in the order of --threads, prefill first"},
                     {"results[]", "object", "", false},
                     {"results[].kind", "string", "prefill or decode", false},
                     {"results[].tokens", "integer", "", false},
                     {"results[].threads", "integer", "", false},
                     {"results[].tokens_per_second", "number", "median of the repetitions", false},
                     {"results[].tokens_per_second_min", "number", "", false},
                     {"results[].tokens_per_second_max", "number", "", false},
                     {"results[].repetitions", "integer", "", false},
                     {"results[].gigabytes_per_second", "number", "weights read, once per forward", false},
                     {"results[].teraops_per_second", "number", "multiplications and additions of the trace", false},
                     {"results[].read_gigabytes_per_second", "number", "the machine's, sampled beside it", false},
                     {"results[].of_bandwidth", "number", "share of it that reading the weights took", false},
                     {"machine", "object", ""},
                     {"machine.processor", "string", ""},
                     {"machine.simd", "string", "SIMD level in use"},
                     {"machine.physical_cores", "integer", ""},
                     {"machine.threads", "integer", "of the next two"},
                     {"machine.read_gigabytes_per_second", "number", "measured in this run"},
                     {"machine.f32_gigaflops", "number", "multiply-adds on registers, measured in this run"},
                     {"interrupted", "boolean", "true: Ctrl-C ended it, results are missing"}}},
                   bench_machine_json()},
          .examples = {{{"toy bench model.gguf -p 512 -n 64 -t 1,2 --json", "on one and two threads, as JSON"},
                        {"toy bench --machine", "peaks, bandwidth, and how kernels compute here"}}},
          .run = run};
}

}  // namespace toy::cli
