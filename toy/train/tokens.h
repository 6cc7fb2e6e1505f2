// Training data: a corpus as one memory-mapped array of token ids, with the places where documents begin.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "toy/io/file.h"
#include "toy/text/tokenizer.h"

namespace toy {

/// Token ids in a file: "TOYTOKEN", then u32 bytes of an id (2 or 4), u32 vocabulary, u64 ids, u64 documents, the
/// document starts (u64 each, ascending, the first 0) and the ids, all little-endian.
class TokenData {
 public:
  /// Errors: a file that is none, is cut, or has ids outside its vocabulary or documents out of order.
  static TokenData open(const Place& place);
  /// The same in memory; `name` is for messages.
  static TokenData over(std::shared_ptr<const std::vector<std::byte>> bytes, const std::string& name);

  std::int64_t size() const { return count_; }
  std::int64_t vocabulary() const { return vocabulary_; }
  std::int32_t operator[](std::int64_t i) const;
  /// Where documents begin, ascending; the first is 0.
  std::span<const std::uint64_t> documents() const { return documents_; }
  /// Document starts in [begin, end).
  std::span<const std::uint64_t> documents(std::int64_t begin, std::int64_t end) const;

 private:
  TokenData(std::span<const std::byte> bytes, const std::string& name);

  std::shared_ptr<const void> owner_;
  std::span<const std::uint64_t> documents_;
  const std::byte* ids_ = nullptr;
  std::int64_t count_ = 0, vocabulary_ = 0;
  bool wide_ = false;
};

/// Bytes of an id of so large a vocabulary in such a file.
constexpr std::size_t id_width(std::int64_t vocabulary) { return vocabulary > 1 << 16 ? 4 : 2; }

/// How documents become ids.
struct EncodingOptions {
  /// Random places (by `seed`) at which a document is broken before it is encoded. Pieces that hold several words never
  /// end where a prompt does; a model that has seen documents broken anywhere goes on after any prompt.
  std::int64_t cuts = 0;
  std::uint64_t seed = 0;
};

/// Called with the bytes of text that are done, and of all, before each part; false: no more.
using EncodingProgress = std::function<bool(std::uint64_t done, std::uint64_t all)>;

/// The bytes of such a file. Each document begins with BOS and ends with EOS where the tokenizer has them; one of more
/// than 256 KB is encoded in parts, so that memory does not grow with it. Errors: no text at all; `progress` said no.
std::vector<std::byte> encode_documents(const Tokenizer& tokenizer, std::span<const std::string_view> documents,
                                        const EncodingOptions& options = {}, const EncodingProgress& progress = {});

}  // namespace toy
