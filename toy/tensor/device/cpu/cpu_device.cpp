#include "toy/tensor/device/cpu/cpu_device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sys/mman.h>
#include <unistd.h>

#include "toy/tensor/device/cpu/tuning.h"
#include "toy/tensor/ops/dequantize.h"
#include "toy/tensor/tape.h"

namespace toy {

namespace {

/// "v4:register" as its two parts; the form is empty where none is named.
struct LevelAndForm {
  std::string_view level, form;
};
LevelAndForm parts_of(std::string_view wanted) {
  const auto colon = wanted.find(':');
  if (colon == std::string_view::npos) return {wanted, {}};
  return {wanted.substr(0, colon), wanted.substr(colon + 1)};
}

/// Null if this processor has no such level; the best one for "".
const cpu::Level* find_level(std::string_view wanted) {
  for (const cpu::Level& level : cpu::levels()) {
    if (level.supported() && (wanted.empty() || wanted == level.name)) return &level;
  }
  return nullptr;
}

const cpu::Level& expect_level(const std::string& wanted) {
  const std::string problem = wanted.empty() ? "" : cpu_level_problem(wanted);
  if (!problem.empty()) refuse("simd: {}, found '{}'", problem, wanted);
  return *find_level(parts_of(wanted).level);
}

Forms forms_of(const cpu::Level& level, std::string_view form) {
  if (form.empty()) return cpu::fastest_forms(level);
  return Forms(form == broadcast_names[0] ? Broadcast::from_memory : Broadcast::in_register);
}

/// Forgets the resident pages that lie wholly inside [begin, end) of a mapped file; they can be read again.
void drop_pages(const std::byte* begin, const std::byte* end) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page;
  const auto last = reinterpret_cast<std::uintptr_t>(end) / page * page;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace

std::vector<std::string_view> cpu_levels() {
  std::vector<std::string_view> names;
  for (const cpu::Level& level : cpu::levels()) {
    if (level.supported()) names.push_back(level.name);
  }
  return names;
}

std::vector<std::string> cpu_levels_and_forms() {
  std::vector<std::string> names;
  for (const std::string_view level : cpu_levels()) {
    names.emplace_back(level);
    if (!cpu::has_forms(*find_level(level))) continue;
    for (const std::string_view form : broadcast_names) names.push_back(fmt::format("{}:{}", level, form));
  }
  return names;
}

std::string cpu_level_problem(std::string_view wanted) {
  const auto [name, form] = parts_of(wanted);
  const cpu::Level* level = name.empty() ? nullptr : find_level(name);
  if (level == nullptr)
    return fmt::format("expected a level that is available here ({})", fmt::join(cpu_levels(), ", "));
  if (wanted == name) return {};
  if (!cpu::has_forms(*level)) return fmt::format("expected {} without a form, as it has one alone", name);
  if (std::ranges::find(broadcast_names, form) != broadcast_names.end()) return {};
  return fmt::format("expected a form of {} ({})", name, fmt::join(broadcast_names, ", "));
}

CpuDevice::CpuDevice(const CpuOptions& options)
    : level_(&expect_level(options.simd_level)),
      activations_(std::make_shared<cpu::Arena>()),
      kept_(std::make_shared<cpu::Arena>()) {
  set_threads(options.threads == 0 ? default_threads() : options.threads);
  team_.set_forms(forms_of(*level_, parts_of(options.simd_level).form));
  cpu::add_ref_kernels(kernels_);  // a level replaces those it has faster
  level_->add_kernels(kernels_);
}

std::shared_ptr<Storage> CpuDevice::take(const std::shared_ptr<cpu::Arena>& arena, std::int64_t bytes) {
  if (bytes < 0) fail("allocate: expected 0 bytes or more, found {}", bytes);
  auto storage = std::make_shared<Storage>();
  storage->device = this;
  storage->data = arena->take(bytes);
  storage->bytes = bytes;
  storage->owner = std::shared_ptr<const void>(
      storage->data, [arena](const void* p) { arena->give_back(static_cast<std::byte*>(const_cast<void*>(p))); });
  return storage;
}

std::shared_ptr<Storage> CpuDevice::allocate(std::int64_t bytes, Lifetime lifetime) {
  activations_->same_size_first(tape() != nullptr && tape()->keeps_values());
  return take(lifetime == Lifetime::step ? activations_ : kept_, bytes);
}

std::int64_t CpuDevice::prepared_bytes(DType dtype, std::int64_t N, std::int64_t K) const {
  const std::int64_t width = std::max(level_->panel_width, 1);
  return (N + width - 1) / width * width * bytes_of(dtype, K);
}

Tensor CpuDevice::prepare(const Tensor& weight) {
  const std::int64_t width = level_->panel_width;
  if (width == 0 || weight.shape().rank() != 2 || weight.storage().layout == Layout::panels ||
      !can_compute(weight.dtype())) {
    return weight;
  }
  if (&weight.device() != this) fail("prepare: the weight lies on another device");
  const std::int64_t N = weight.shape()[0], K = weight.shape()[1], panels = (N + width - 1) / width;
  auto storage = take(kept_, prepared_bytes(weight.dtype(), N, K));
  storage->layout = Layout::panels;
  storage->name = weight.storage().name;

  const std::int64_t row = bytes_of(weight.dtype(), K);
  const std::int64_t slice = std::max<std::int64_t>(1, (4 << 20) / std::max<std::int64_t>(1, width * row));
  team_.share((panels + slice - 1) / slice, [&](std::int64_t i) {
    const std::int64_t first = i * slice, last = std::min(panels, first + slice);
    level_->pack({weight.dtype(), weight.raw(), N, K, storage->data, first, last});
    if (weight.storage().mapped_file) {
      drop_pages(weight.raw() + first * width * row, weight.raw() + std::min(N, last * width) * row);
    }
  });
  return {std::move(storage), weight.shape(), weight.dtype()};
}

}  // namespace toy
