#include "toy/tensor/device/cpu/cpu_device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sys/mman.h>
#include <unistd.h>

#include "toy/tensor/ops/dequantize.h"
#include "toy/tensor/tape.h"

namespace toy {

namespace {

const cpu::Level& find_level(const std::string& wanted) {
  for (const cpu::Level& level : cpu::levels()) {
    if (!level.supported()) continue;
    if (wanted.empty() || wanted == level.name) return level;
  }
  refuse("simd: expected a level that is available here ({}), found '{}'", fmt::join(cpu_levels(), ", "), wanted);
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

CpuDevice::CpuDevice(const CpuOptions& options)
    : level_(&find_level(options.simd_level)),
      activations_(std::make_shared<cpu::Arena>()),
      kept_(std::make_shared<cpu::Arena>()) {
  set_threads(options.threads == 0 ? default_threads() : options.threads);
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
