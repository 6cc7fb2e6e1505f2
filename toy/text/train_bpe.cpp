#include "toy/text/train_bpe.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>
#include <vector>

#include "toy/tensor/error.h"
#include "toy/text/bytes.h"
#include "toy/text/character_stream.h"
#include "toy/text/pair_table.h"
#include "toy/text/piece_table.h"

namespace toy {

namespace {

using Place = std::uint32_t;
constexpr std::int32_t barrier = CharacterStream::barrier;

/// The corpus as symbols in slots. A symbol of w slots stands in the first; the second and the last hold -w and others
/// some negative number, so that both neighbours are found at once and the first slot is the only one that is not
/// negative.
class SymbolSlots {
 public:
  explicit SymbolSlots(std::vector<std::int32_t> symbols) : slots_(std::move(symbols)) {}

  std::size_t size() const { return slots_.size(); }
  /// Negative within a symbol.
  std::int32_t operator[](Place at) const { return slots_[at]; }
  /// For places of symbols that are not the last (a barrier).
  Place next(Place at) const { return slots_[at + 1] < 0 ? at - slots_[at + 1] : at + 1; }
  /// For places of symbols that are not the first (a barrier).
  Place previous(Place at) const { return slots_[at - 1] < 0 ? at + slots_[at - 1] : at - 1; }
  void prefetch(Place at) const { __builtin_prefetch(&slots_[at]); }

  /// Makes one symbol of two neighbours.
  void join(Place left, Place right, std::int32_t symbol) {
    const auto width = static_cast<std::int32_t>(next(right) - left);
    slots_[left] = symbol;
    slots_[right] = -1;
    slots_[left + 1] = -width;
    slots_[left + width - 1] = -width;
  }

  /// Gives every symbol one slot.
  void compact() {
    std::erase_if(slots_, [](std::int32_t symbol) { return symbol < 0; });
  }

 private:
  std::vector<std::int32_t> slots_;
};

/// Adds a token, but the space, which is there already.
void add_piece(Vocabulary& v, std::string_view piece, float score) {
  if (piece == visible_space) return;
  v.tokens.push_back(piece);
  v.types.push_back(TokenType::normal);
  v.scores.push_back(score);
}

/// Neighbours that may become a piece.
struct Candidate {
  std::int32_t left, right;
  std::vector<Place> places;  // all of them, ascending, and some that are no more
};
/// What a candidate takes beside its places, in places: itself, its entry of the heap, what an allocation costs.
constexpr std::size_t candidate_places = 16;

/// Training proceeds in rounds. A round counts all pairs, and lists the places of those that are at least as frequent
/// as its threshold; it lasts until the most frequent pair is rarer. Lists are never searched: a place that is no
/// longer right is noticed when its turn comes, and a count that is no longer right when it comes to the top of the
/// heap.
///
/// Pairs are told apart by their symbols, as no two that stand in the corpus spell the same: text between two borders
/// of symbols was joined as if it stood alone, because a merge across a border removes it. (Where a symbol is joined
/// with itself, a border stays only behind an even number of them.) So no two merges make the same symbol, and as a
/// join adds pairs of the new symbol only, a pair becomes more frequent only in the merge that makes one of its two.
class BpeTrainer {
 public:
  BpeTrainer(CharacterStream stream, const BpeOptions& options)
      : options_(options), slots_(std::move(stream.symbols)), reserved_(byte_vocabulary().tokens) {
    pieces_.intern("");  // the barrier
    for (const std::string& character : stream.characters) pieces_.intern(character);
    first_merge_ = pieces_.size();
    tokens_ = stream.character_tokens + stream.byte_tokens;
  }

  TrainingEnd run() {
    if (merges() < options_.merges) begin_round();
    while (merges() < options_.merges) {
      if (options_.progress && !options_.progress({merges(), options_.merges, tokens_})) return TrainingEnd::cancelled;
      if (const auto best = most_frequent()) {
        merge(*best);
      } else if (threshold_ > options_.min_pair_count || is_full()) {
        begin_round();
      } else {
        return TrainingEnd::no_pairs_left;
      }
    }
    return TrainingEnd::complete;
  }

  std::int32_t merges() const { return pieces_.size() - first_merge_; }
  std::uint64_t tokens() const { return tokens_; }
  /// Adds the characters, with score 0, and the pieces in the order they were made, with scores -1, -2, ...
  void write(Vocabulary& vocabulary) const {
    for (std::int32_t i = 1; i < pieces_.size(); ++i) {
      add_piece(vocabulary, pieces_[i], i < first_merge_ ? 0.0F : -static_cast<float>(i - first_merge_ + 1));
    }
  }

 private:
  using Pair = PairTable::Pair;
  struct HeapEntry {
    std::uint32_t count;
    std::int32_t candidate;
  };
  void begin_round();
  void choose_threshold();
  std::optional<std::int32_t> most_frequent();
  void merge(std::int32_t candidate);
  void join(Place left, Place right, std::int32_t symbol);
  void add_pair(Place left, Place right);
  void remove_pair(std::int32_t left, std::int32_t right);
  void settle(std::size_t first);
  void push(HeapEntry entry);
  /// Whether the lists or the table have grown so long that counting anew makes them shorter.
  bool is_full() const { return listed_ > most_listed_ || pairs_.size() > most_pairs_; }
  std::string spelling(std::int32_t left, std::int32_t right) const {
    return std::string(pieces_[left]).append(pieces_[right]);
  }
  bool may_join(const Pair& pair) const {
    return pair.count >= threshold_ && !leads_to_reserved(pair.left, pair.right);
  }
  bool leads_to_reserved(std::int32_t left, std::int32_t right) const;
  bool comes_later(const HeapEntry& a, const HeapEntry& b) const;

  const BpeOptions& options_;
  SymbolSlots slots_;
  PieceTable pieces_;  // by symbol: the barrier, the characters, then the merges
  std::int32_t first_merge_;
  std::uint64_t tokens_;
  StringTable reserved_;

  PairTable pairs_;
  std::vector<Candidate> candidates_;
  std::vector<HeapEntry> heap_;
  std::uint32_t threshold_ = 0;
  std::size_t listed_ = 0, most_listed_ = 0;
  std::size_t most_pairs_ = 0;  // in the table, of which some are no more
};

void BpeTrainer::begin_round() {
  slots_.compact();
  candidates_.clear();
  heap_.clear();
  pairs_ = {};
  for (Place at = 0; at + 1 < slots_.size(); ++at) {
    if (slots_[at] == barrier || slots_[at + 1] == barrier) continue;
    ++pairs_.find_or_add(slots_[at], slots_[at + 1]).count;
  }
  pairs_.make_room();
  most_pairs_ = options_.counted_pairs > 0 ? std::max(pairs_.size(), options_.counted_pairs)
                                           : std::max(2 * pairs_.room(), slots_.size() / 32);
  choose_threshold();
  pairs_.each([&](Pair& pair) {
    if (!may_join(pair)) return;
    pair.candidate = static_cast<std::int32_t>(candidates_.size());
    candidates_.push_back({pair.left, pair.right, {}});
    candidates_.back().places.reserve(pair.count);
    heap_.push_back({pair.count, pair.candidate});
  });
  std::ranges::make_heap(heap_, [this](const auto& a, const auto& b) { return comes_later(a, b); });
  for (Place at = 0; at + 1 < slots_.size() && !heap_.empty(); ++at) {
    if (slots_[at] == barrier || slots_[at + 1] == barrier) continue;
    const std::int32_t candidate = pairs_.find(slots_[at], slots_[at + 1])->candidate;
    if (candidate >= 0) candidates_[candidate].places.push_back(at);
  }
}

/// The lowest count such that the pairs at least as frequent fit into the lists; those of the highest count always do.
void BpeTrainer::choose_threshold() {
  std::vector<std::uint32_t> counts;
  threshold_ = options_.min_pair_count;
  pairs_.each([&](const Pair& pair) {
    if (may_join(pair)) counts.push_back(pair.count);
  });
  std::ranges::sort(counts, std::greater());
  constexpr std::size_t few = 1 << 16;
  const std::size_t room = options_.listed_places > 0 ? options_.listed_places : std::max(few, slots_.size() / 2);
  listed_ = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::size_t more = counts[i] + candidate_places;
    if (listed_ + more > room && i > 0 && counts[i] < counts[0]) {
      threshold_ = counts[i] + 1;
      break;
    }
    listed_ += more;
  }
  most_listed_ = listed_ + room;
}

/// The candidate to become a piece; nothing at the end of the round.
std::optional<std::int32_t> BpeTrainer::most_frequent() {
  const auto later = [this](const auto& a, const auto& b) { return comes_later(a, b); };
  while (!heap_.empty() && !is_full()) {
    const HeapEntry top = heap_.front();
    std::ranges::pop_heap(heap_, later);
    heap_.pop_back();
    Candidate& candidate = candidates_[top.candidate];
    const std::uint32_t count = pairs_.find(candidate.left, candidate.right)->count;
    if (count < top.count) {
      push({count, top.candidate});
    } else if (leads_to_reserved(candidate.left, candidate.right)) {
      candidate.places = {};
    } else {
      return top.candidate;
    }
  }
  return std::nullopt;
}

void BpeTrainer::merge(std::int32_t candidate) {
  const Candidate merged = std::move(candidates_[candidate]);
  const std::int32_t symbol = pieces_.intern(spelling(merged.left, merged.right));
  const std::size_t first = candidates_.size();
  constexpr std::size_t ahead = 16;
  for (std::size_t i = 0; i < merged.places.size(); ++i) {
    if (i + ahead < merged.places.size()) slots_.prefetch(merged.places[i + ahead]);
    const Place left = merged.places[i];
    if (slots_[left] != merged.left) continue;
    const Place right = slots_.next(left);
    if (slots_[right] == merged.right) join(left, right, symbol);
  }
  settle(first);
}

void BpeTrainer::join(Place left, Place right, std::int32_t symbol) {
  const Place before = slots_.previous(left);
  const Place after = slots_.next(right);
  remove_pair(slots_[before], slots_[left]);
  remove_pair(slots_[left], slots_[right]);
  remove_pair(slots_[right], slots_[after]);
  slots_.join(left, right, symbol);
  --tokens_;
  add_pair(before, left);
  add_pair(left, after);
}

/// Counts and lists a pair, one of which is the symbol that this merge makes.
void BpeTrainer::add_pair(Place left, Place right) {
  if (slots_[left] == barrier || slots_[right] == barrier) return;
  Pair& pair = pairs_.find_or_add(slots_[left], slots_[right]);
  if (pair.candidate < 0) {
    pair.candidate = static_cast<std::int32_t>(candidates_.size());
    candidates_.push_back({pair.left, pair.right, {}});
  }
  ++pair.count;
  candidates_[pair.candidate].places.push_back(left);
}

void BpeTrainer::remove_pair(std::int32_t left, std::int32_t right) {
  if (left != barrier && right != barrier) --pairs_.find(left, right)->count;
}

/// At the end of a merge: of its new pairs, which begin at `first`, only those that are frequent remain candidates.
void BpeTrainer::settle(std::size_t first) {
  std::size_t kept = first;
  for (std::size_t i = first; i < candidates_.size(); ++i) {
    Pair& pair = *pairs_.find(candidates_[i].left, candidates_[i].right);
    pair.candidate = -1;
    if (pair.count < threshold_) continue;
    pair.candidate = static_cast<std::int32_t>(kept);
    listed_ += candidates_[i].places.size() + candidate_places;
    candidates_[i].places.shrink_to_fit();
    if (kept < i) candidates_[kept] = std::move(candidates_[i]);
    push({pair.count, pair.candidate});
    ++kept;
  }
  candidates_.resize(kept);
}

void BpeTrainer::push(HeapEntry entry) {
  if (entry.count < threshold_) return;
  heap_.push_back(entry);
  std::ranges::push_heap(heap_, [this](const auto& a, const auto& b) { return comes_later(a, b); });
}

/// Whether what the pair spells, alone or with one piece or character, spells a token that no text may become.
bool BpeTrainer::leads_to_reserved(std::int32_t left, std::int32_t right) const {
  // All of them stand in angle brackets.
  if (pieces_[left].front() != '<' && pieces_[right].back() != '>') return false;
  const std::string text = spelling(left, right);
  const auto can_stand_beside = [this](std::string_view rest) {
    return utf8_head(rest).length == rest.size() || pieces_.find(rest);
  };
  for (std::size_t i = 0; i < reserved_.size(); ++i) {
    const std::string_view reserved = reserved_[i];
    if (text.size() > reserved.size()) continue;
    if (text == reserved) return true;
    if (reserved.starts_with(text) && can_stand_beside(reserved.substr(text.size()))) return true;
    if (reserved.ends_with(text) && can_stand_beside(reserved.substr(0, reserved.size() - text.size()))) return true;
  }
  return false;
}

/// Rarer, or longer, or bytewise larger.
bool BpeTrainer::comes_later(const HeapEntry& a, const HeapEntry& b) const {
  if (a.count != b.count) return a.count < b.count;
  const Candidate &x = candidates_[a.candidate], &y = candidates_[b.candidate];
  const std::size_t s = pieces_[x.left].size() + pieces_[x.right].size();
  const std::size_t t = pieces_[y.left].size() + pieces_[y.right].size();
  return s != t ? s > t : spelling(x.left, x.right) > spelling(y.left, y.right);
}

/// The vocabulary of bytes, and what is known of the texts.
TrainedVocabulary before_pieces(const CharacterStream& stream) {
  TrainedVocabulary t;
  t.vocabulary = byte_vocabulary();
  t.bytes = stream.bytes;
  t.invalid_bytes = stream.invalid_bytes;
  t.first_invalid = stream.first_invalid;
  return t;
}

}  // namespace

TrainedVocabulary train_bpe(std::span<const std::string_view> texts, const BpeOptions& options) {
  constexpr std::int32_t most_merges = (1 << 24) - (1 << 21);  // scores are whole numbers that F32 holds exactly
  if (options.merges < 0 || options.merges > most_merges) {
    refuse("merges: expected 0 to {}, found {}", most_merges, options.merges);
  }
  if (options.min_pair_count < 1) refuse("min_pair_count: expected 1 or more, found 0");

  CharacterStream stream = read_characters(texts, options.min_character_count);
  TrainedVocabulary result = before_pieces(stream);
  BpeTrainer trainer(std::move(stream), options);
  result.end = trainer.run();
  result.merges = trainer.merges();
  result.tokens = trainer.tokens();
  trainer.write(result.vocabulary);
  return result;
}

TrainedVocabulary train_bpe(std::string_view text, const BpeOptions& options) {
  return train_bpe(std::span(&text, 1), options);
}

std::uint64_t bpe_bytes(std::span<const std::string_view> texts, std::int64_t merges) {
  double characters = 0;
  for (const std::string_view text : texts) characters += static_cast<double>(character_count(text));
  // Pieces bring new pairs: so many for each, where there are few, or a part of what there is.
  const auto pieces = static_cast<double>(std::clamp<std::int64_t>(merges, 0, 1 << 24));
  const double different = different_neighbours(texts);
  const double pairs =
      std::max(std::min((1 + pieces / 16000) * different, characters), std::min(60 * pieces, characters / 32));
  const double table =
      sizeof(PairTable::Pair) * static_cast<double>(std::bit_ceil(static_cast<std::size_t>(2 * pairs)));
  // The symbols; then, while the table is doubled, its old half, or the places that are listed later.
  return static_cast<std::uint64_t>(4 * characters + table + std::max(table / 2, 1.8 * characters));
}

TrainedVocabulary character_vocabulary(std::span<const std::string_view> texts, std::uint64_t min_character_count) {
  const CharacterStream stream = read_alphabet(texts, min_character_count);
  TrainedVocabulary result = before_pieces(stream);
  result.tokens = stream.character_tokens + stream.byte_tokens;
  for (const std::string& character : stream.characters) add_piece(result.vocabulary, character, 0);
  return result;
}

TrainedVocabulary character_vocabulary(std::string_view text, std::uint64_t min_character_count) {
  return character_vocabulary(std::span(&text, 1), min_character_count);
}

}  // namespace toy
