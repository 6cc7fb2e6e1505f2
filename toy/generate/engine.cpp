#include "toy/generate/engine.h"

#include <algorithm>

namespace toy {

Engine::Engine(const Model& model, Device& device, EngineOptions options)
    : model_(&model), device_(&device), options_(options) {
  const Sizes& sizes = model.sizes();
  if (options_.context == 0) options_.context = sizes.context;
  constexpr std::int64_t most = (std::int64_t{1} << 31) - 1;
  if (options_.context < 1 || options_.context > most) {
    refuse("context: expected 1..{}, found {}", most, options_.context);
  }
  if (sizes.learned_positions && options_.context > sizes.context) {
    refuse("context: {} positions asked, this model has learned {}", options_.context, sizes.context);
  }
  if (options_.chunk < 1) refuse("chunk: expected at least 1, found {}", options_.chunk);
  (void)sequence();  // refuses a KV type that does not fit
}

void Engine::check_ids(std::span<const std::int32_t> ids) const {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocabulary()) {
      refuse("token id {} (number {} of the prompt) is out of range: the vocabulary has {}", ids[i], i + 1,
             vocabulary());
    }
  }
}

Tensor Engine::hidden(std::span<const Feed> feeds) {
  if (feeds.empty()) refuse("engine: nothing to feed");
  Batch batch;
  bool all_wanted = true;
  for (const Feed& feed : feeds) {
    if (feed.sequence == nullptr) refuse("engine: a feed without a sequence");
    check_ids(feed.ids);
    const auto count = static_cast<std::int64_t>(feed.ids.size());
    const std::int64_t past = feed.sequence->length();
    if (count == 0) refuse("engine: a feed without tokens");
    if (past + count > options_.context) {
      refuse("a sequence of {} tokens is beyond the context of {}", past + count, options_.context);
    }
    const auto begin = static_cast<std::int32_t>(batch.ids.size());
    batch.segments.push_back({begin, count, past});
    batch.caches.push_back(feed.sequence);
    batch.ids.insert(batch.ids.end(), feed.ids.begin(), feed.ids.end());
    const auto end = static_cast<std::int32_t>(batch.ids.size());
    if (feed.want == Want::last) batch.wanted.push_back(end - 1);
    if (feed.want == Want::all) {
      for (std::int32_t row = begin; row < end; ++row) batch.wanted.push_back(row);
    }
    all_wanted = all_wanted && (feed.want == Want::all || (feed.want == Want::last && count == 1));
  }
  const bool nothing = batch.wanted.empty();
  if (nothing) batch.wanted.push_back(static_cast<std::int32_t>(batch.ids.size()) - 1);
  if (all_wanted) batch.wanted.clear();

  const DeviceStep step(*device_);
  Context ctx(*device_, std::move(batch));
  Tensor h = model_->forward(ctx);
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    feeds[i].sequence->set_length(ctx.segments()[i].past + ctx.segments()[i].count);
  }
  return nothing ? Tensor{} : h;
}

Tensor Engine::prefill(KVCache& sequence, std::span<const std::int32_t> ids, const std::function<bool()>& go_on) {
  check_ids(ids);
  Tensor h;
  for (std::size_t at = 0; at < ids.size();) {
    if (go_on && !go_on()) return {};
    const std::size_t count = std::min(ids.size() - at, static_cast<std::size_t>(options_.chunk));
    const Feed feed{&sequence, ids.subspan(at, count), at + count == ids.size() ? Want::last : Want::nothing};
    h = hidden({&feed, 1});
    at += count;
  }
  return h ? logits(h) : Tensor{};
}

Tensor Engine::decode(std::span<KVCache* const> sequences, std::span<const std::int32_t> ids) {
  if (sequences.size() != ids.size()) fail("decode: {} sequences, {} ids", sequences.size(), ids.size());
  std::vector<Feed> feeds;
  for (std::size_t i = 0; i < ids.size(); ++i) feeds.push_back({sequences[i], ids.subspan(i, 1), Want::last});
  return logits(hidden(feeds));
}

}  // namespace toy
