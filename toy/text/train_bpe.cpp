#include "toy/text/train_bpe.h"

#include <algorithm>
#include <cstddef>
#include <memory_resource>
#include <optional>
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
  std::uint32_t count;  // when it was listed: so many places, ascending, of which some are no more
  std::uint32_t first;  // where they begin
  enum class Places : std::uint8_t { listed, anywhere, dropped } places;
};

/// Training proceeds in rounds. A round counts all pairs and makes candidates of the most frequent, as many as fit with
/// lists of their places into memory of a fixed size; it lasts until these are used up, or until the lists of new
/// candidates fit no more. Other pairs are not counted on: they cannot become more frequent within the round. Lists are
/// never searched: a place that is no longer right is noticed when its turn comes, and a count that is no longer right
/// when it comes to the top of the heap. A candidate whose list would take a large part of the memory has none; the
/// whole corpus is read when it is merged.
///
/// Pairs are told apart by their symbols, as no two that stand in the corpus spell the same: text between two borders
/// of symbols was joined as if it stood alone, because a merge across a border removes it. (Where a symbol is joined
/// with itself, a border stays only behind an even number of them.) So no two merges make the same symbol, and as a
/// join adds pairs of the new symbol only, a pair becomes more frequent only in the merge that makes one of its two.
class BpeTrainer {
 public:
  BpeTrainer(CharacterStream stream, const BpeOptions& options)
      : options_(options),
        slots_(std::move(stream.symbols)),
        reserved_(byte_vocabulary().tokens),
        room_(room_for(slots_.size(), options.listed_places)),
        memory_(sizeof(Place) * room_),
        resource_(memory_.data(), memory_.size()),
        places_(&resource_),
        most_candidates_(candidate_room(room_)),
        pairs_(most_candidates_) {
    candidates_.reserve(most_candidates_ + 1);
    heap_.reserve(most_candidates_);
    pieces_.intern("");  // the barrier
    for (const std::string& character : stream.characters) pieces_.intern(character);
    first_merge_ = pieces_.size();
    tokens_ = stream.character_tokens + stream.byte_tokens;
  }

  /// Bytes for a corpus of so many symbols, beside what its characters and pieces take.
  static std::size_t bytes(std::size_t symbols) {
    const std::size_t room = room_for(symbols, 0), candidates = candidate_room(room);
    return sizeof(std::int32_t) * symbols + sizeof(Place) * room + PairTable::bytes(candidates) +
           candidates * (sizeof(Candidate) + sizeof(HeapEntry));
  }

  TrainingEnd run() {
    if (merges() < options_.merges) begin_round();
    while (merges() < options_.merges) {
      if (is_cancelled()) return TrainingEnd::cancelled;
      if (const auto best = most_frequent()) {
        merge(*best);
      } else if (last_ || full_) {
        begin_round();
      } else {
        return TrainingEnd::no_pairs_left;
      }
    }
    return TrainingEnd::complete;
  }

  std::int32_t merges() const { return pieces_.size() - first_merge_; }
  std::uint64_t tokens() const { return tokens_; }
  /// Afterwards only the pieces are known.
  void forget_corpus() {
    slots_ = SymbolSlots({});
    free_memory();
    memory_ = {};
  }
  /// Adds the characters, with score 0, and the pieces in the order they were made, with scores -1, -2, ...
  void write(Vocabulary& vocabulary) const {
    for (std::int32_t i = 1; i < pieces_.size(); ++i) {
      add_piece(vocabulary, pieces_[i], i < first_merge_ ? 0.0F : -static_cast<float>(i - first_merge_ + 1));
    }
  }

 private:
  using Pair = PairTable::Pair;
  using Places = Candidate::Places;
  struct HeapEntry {
    std::uint32_t count;
    std::int32_t candidate;
  };
  /// What pairs are ordered by: their count, then their spelling.
  struct Rank {
    std::uint32_t count;
    std::int32_t left, right;
  };
  /// Places for all lists: as many as asked for, and not more than the corpus has; or a quarter of it.
  static std::size_t room_for(std::size_t symbols, std::size_t asked) {
    constexpr std::size_t few = 1 << 18;
    return asked > 0 ? std::min(asked, symbols) : std::max(few, symbols / 4);
  }
  static std::size_t candidate_room(std::size_t room) { return std::max<std::size_t>(8, room / 64); }
  bool is_cancelled() {
    cancelled_ = cancelled_ || (options_.progress && !options_.progress({merges(), options_.merges, tokens_}));
    return cancelled_;
  }
  void begin_round();
  void free_memory();
  bool choose_candidates(std::uint64_t parts);
  void consider(const Pair& pair);
  void list_candidates();
  std::optional<std::int32_t> most_frequent();
  void merge(std::int32_t candidate);
  void join(Place left, Place right, std::int32_t symbol);
  void add_pair(Place left, Place right);
  bool keep_frequent();
  void list_places(const Candidate& merged, std::int32_t symbol);
  void drop(Candidate& candidate);
  void drop_lists();
  template <class F>
  void each_place(const Candidate& candidate, const F& f) const;
  void push(HeapEntry entry);

  static Rank rank(const Candidate& c) { return {c.count, c.left, c.right}; }
  /// The rank of an entry, whose count may be older than its candidate's.
  Rank rank(const HeapEntry& entry) const {
    return {entry.count, candidates_[entry.candidate].left, candidates_[entry.candidate].right};
  }
  /// A pair of this count, whose list would begin where the lists end.
  Candidate candidate_of(std::int32_t left, std::int32_t right, std::uint32_t count) const {
    const bool listed = count <= room_ / 8;
    return {left, right, count, static_cast<std::uint32_t>(listed_), listed ? Places::listed : Places::anywhere};
  }
  static std::size_t places_of(const Candidate& c) { return c.places == Places::listed ? c.count : 0; }
  /// Whether no pair that is no candidate of this round can come before this one.
  bool is_due(const Rank& pair) const {
    return pair.count >= options_.min_pair_count && (!last_ || !comes_later(pair, *last_));
  }
  std::string spelling(std::int32_t left, std::int32_t right) const {
    return std::string(pieces_[left]).append(pieces_[right]);
  }
  bool leads_to_reserved(std::int32_t left, std::int32_t right) const;
  bool comes_later(const Rank& a, const Rank& b) const;

  const BpeOptions& options_;
  SymbolSlots slots_;
  PieceTable pieces_;  // by symbol: the barrier, the characters, then the merges
  std::int32_t first_merge_;
  std::uint64_t tokens_;
  StringTable reserved_;

  const std::size_t room_;         // places of all lists
  std::vector<std::byte> memory_;  // for counting, then for places
  std::pmr::monotonic_buffer_resource resource_;
  std::pmr::vector<Place> places_;  // list after list
  std::size_t listed_ = 0;          // of these, in use
  std::size_t dropped_ = 0;         // of these, in lists that are no more
  bool full_ = false;               // a frequent pair did not fit
  std::uint64_t parts_ = 1;         // in which pairs were counted
  bool cancelled_ = false;

  const std::size_t most_candidates_;
  PairTable pairs_;  // candidates of this round, of which some are no more
  PairsOfOne made_;  // pairs that a merge makes
  std::vector<Candidate> candidates_;
  std::vector<HeapEntry> heap_;
  std::optional<Rank> last_;  // of the candidates that this round began with, if there were more pairs
};

void BpeTrainer::begin_round() {
  slots_.compact();
  heap_.clear();
  pairs_.clear();
  while (!choose_candidates(parts_)) parts_ += (parts_ + 1) / 2;
  free_memory();
  list_candidates();
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    heap_.push_back({candidates_[i].count, static_cast<std::int32_t>(i)});
  }
  std::ranges::make_heap(heap_, [this](const auto& a, const auto& b) { return comes_later(rank(a), rank(b)); });
}

/// Makes the memory free for another use.
void BpeTrainer::free_memory() {
  std::pmr::vector<Place>(&resource_).swap(places_);
  resource_.release();
}

/// Counts all pairs, in parts by their hash, and makes candidates of the best that fit into three quarters of the room.
/// False: there are more pairs in a part than are counted at a time.
bool BpeTrainer::choose_candidates(std::uint64_t parts) {
  constexpr std::uint64_t most_parts = 1 << 16;  // only options make this many; a table may then take more memory
  candidates_.clear();
  last_.reset();
  full_ = false;
  listed_ = dropped_ = 0;
  const std::size_t bytes = sizeof(Place) * room_;  // of the memory
  std::size_t most = parts == 1 ? PairTable::growing_room(bytes) : PairTable::room(bytes);
  if (options_.counted_pairs > 0) most = std::min(most, options_.counted_pairs);
  for (std::uint64_t part = 0; part < parts; ++part) {
    if (part > 0 && is_cancelled()) break;
    free_memory();
    PairTable counts(parts == 1 ? 0 : most, &resource_);
    for (Place at = 0; at + 1 < slots_.size(); ++at) {
      const std::int32_t left = slots_[at], right = slots_[at + 1];
      if (left == barrier || right == barrier || PairTable::part(left, right, parts) != part) continue;
      Pair* pair = counts.find(left, right);
      if (pair == nullptr) {
        if (counts.size() >= most && parts < most_parts) return false;
        pair = &counts.find_or_add(left, right);
      }
      ++pair->count;
    }
    counts.each([this](const Pair& pair) { consider(pair); });
  }
  return true;
}

/// Makes a pair a candidate, and takes it from the last ones if they are too many. Candidates are a heap, the last one
/// at the top.
void BpeTrainer::consider(const Pair& pair) {
  const Candidate candidate = candidate_of(pair.left, pair.right, pair.count);
  if (!is_due(rank(candidate)) || leads_to_reserved(pair.left, pair.right)) return;
  const auto before = [this](const auto& a, const auto& b) { return comes_later(rank(b), rank(a)); };
  candidates_.push_back(candidate);
  std::ranges::push_heap(candidates_, before);
  listed_ += places_of(candidate);
  while ((listed_ > room_ / 4 * 3 || candidates_.size() > most_candidates_ / 4 * 3) && candidates_.size() > 1) {
    listed_ -= places_of(candidates_.front());
    std::ranges::pop_heap(candidates_, before);
    candidates_.pop_back();
    last_ = rank(candidates_.front());
  }
}

/// Lists the places of the candidates.
void BpeTrainer::list_candidates() {
  listed_ = 0;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    Candidate& c = candidates_[i];
    Pair& pair = pairs_.find_or_add(c.left, c.right);
    pair.candidate = static_cast<std::int32_t>(i);
    pair.count = c.count;
    c.first = static_cast<std::uint32_t>(listed_);
    listed_ += places_of(c);
  }
  places_.resize(room_);
  if (listed_ == 0) return;
  for (Place at = 0; at + 1 < slots_.size(); ++at) {
    if (slots_[at] == barrier || slots_[at + 1] == barrier) continue;
    const Pair* pair = pairs_.find(slots_[at], slots_[at + 1]);
    if (pair == nullptr) continue;
    Candidate& c = candidates_[pair->candidate];
    if (c.places == Places::listed) places_[c.first++] = at;
  }
  for (Candidate& c : candidates_) c.first -= static_cast<std::uint32_t>(places_of(c));
}

/// The candidate to become a piece; nothing at the end of the round.
std::optional<std::int32_t> BpeTrainer::most_frequent() {
  while (!heap_.empty() && !full_) {
    const HeapEntry top = heap_.front();
    std::ranges::pop_heap(heap_, [this](const auto& a, const auto& b) { return comes_later(rank(a), rank(b)); });
    heap_.pop_back();
    Candidate& candidate = candidates_[top.candidate];
    const std::uint32_t count = pairs_.find(candidate.left, candidate.right)->count;
    if (count < top.count) {
      push({count, top.candidate});
    } else if (leads_to_reserved(candidate.left, candidate.right)) {
      drop(candidate);
    } else {
      return top.candidate;
    }
  }
  return std::nullopt;
}

/// f(place) for each place where the candidate stood when it was listed, and others, ascending.
template <class F>
void BpeTrainer::each_place(const Candidate& candidate, const F& f) const {
  if (candidate.places == Places::anywhere) {
    for (Place at = 0; at < slots_.size(); ++at) f(at);
    return;
  }
  constexpr std::size_t ahead = 16;
  const std::span<const Place> places = std::span(places_).subspan(candidate.first, candidate.count);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (i + ahead < places.size()) slots_.prefetch(places[i + ahead]);
    f(places[i]);
  }
}

void BpeTrainer::merge(std::int32_t candidate) {
  // As many new places as there can be.
  if (listed_ + 2 * std::size_t{candidates_[candidate].count} > room_ && dropped_ > room_ / 16) drop_lists();
  const Candidate merged = candidates_[candidate];
  const std::int32_t symbol = pieces_.intern(spelling(merged.left, merged.right));
  made_.begin(symbol);
  each_place(merged, [&](Place left) {
    if (slots_[left] != merged.left) return;
    const Place right = slots_.next(left);
    if (slots_[right] == merged.right) join(left, right, symbol);
  });
  if (keep_frequent()) list_places(merged, symbol);
  drop(candidates_[candidate]);
}

/// Gives up a list.
void BpeTrainer::drop(Candidate& candidate) {
  dropped_ += places_of(candidate);
  candidate.places = Places::dropped;
}

/// Closes the gaps that lists have left.
void BpeTrainer::drop_lists() {
  dropped_ = listed_ = 0;
  for (Candidate& c : candidates_) {
    if (c.places != Places::listed) continue;
    std::copy_n(places_.begin() + c.first, c.count, places_.begin() + static_cast<std::ptrdiff_t>(listed_));
    c.first = static_cast<std::uint32_t>(listed_);
    listed_ += c.count;
  }
}

void BpeTrainer::join(Place left, Place right, std::int32_t symbol) {
  const auto remove_pair = [&](std::int32_t a, std::int32_t b) {
    if (a == barrier || b == barrier) return;
    if (made_.has(a, b)) {
      --made_.find_or_add(a, b).count;
    } else if (Pair* pair = pairs_.find(a, b)) {
      --pair->count;
    }
  };
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

/// Counts a pair of the symbol that this merge makes.
void BpeTrainer::add_pair(Place left, Place right) {
  if (slots_[left] == barrier || slots_[right] == barrier) return;
  ++made_.find_or_add(slots_[left], slots_[right]).count;
}

/// At the end of a merge: of the pairs that it made, those that are frequent become candidates. Whether one needs a
/// list.
bool BpeTrainer::keep_frequent() {
  bool lists = false;
  made_.each([&](std::int32_t left, std::int32_t right, PairsOfOne::Pair& pair) {
    if (!is_due({pair.count, left, right})) return;
    const Candidate made = candidate_of(left, right, pair.count);
    full_ = full_ || listed_ + places_of(made) > room_ || candidates_.size() == most_candidates_;
    if (full_) return;
    pair.candidate = static_cast<std::int32_t>(candidates_.size());
    candidates_.push_back(made);
    listed_ += places_of(made);
    lists = lists || places_of(made) > 0;
    pairs_.find_or_add(left, right) = {left, right, pair.candidate, pair.count};
    push({pair.count, pair.candidate});
  });
  return lists && !full_;
}

/// Lists the places of the candidates among the pairs that a merge made.
void BpeTrainer::list_places(const Candidate& merged, std::int32_t symbol) {
  const auto list = [&](Place left, Place right) {
    if (slots_[left] == barrier || slots_[right] == barrier) return;
    const std::int32_t candidate = made_.find_or_add(slots_[left], slots_[right]).candidate;
    if (candidate < 0) return;
    Candidate& c = candidates_[candidate];
    if (c.places == Places::listed) places_[c.first++] = left;
  };
  each_place(merged, [&](Place at) {
    if (slots_[at] != symbol) return;
    list(slots_.previous(at), at);
    const Place after = slots_.next(at);
    if (slots_[after] != symbol) list(at, after);  // else it is before another
  });
  made_.each([&](std::int32_t, std::int32_t, const PairsOfOne::Pair& pair) {
    if (pair.candidate < 0) return;
    Candidate& c = candidates_[pair.candidate];
    c.first -= static_cast<std::uint32_t>(places_of(c));
  });
}

/// Into the heap, or out of the round if the pair has become so rare that its turn does not come in it.
void BpeTrainer::push(HeapEntry entry) {
  if (!is_due(rank(entry))) return drop(candidates_[entry.candidate]);
  heap_.push_back(entry);
  std::ranges::push_heap(heap_, [this](const auto& a, const auto& b) { return comes_later(rank(a), rank(b)); });
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
bool BpeTrainer::comes_later(const Rank& a, const Rank& b) const {
  if (a.count != b.count) return a.count < b.count;
  const std::size_t s = pieces_[a.left].size() + pieces_[a.right].size();
  const std::size_t t = pieces_[b.left].size() + pieces_[b.right].size();
  return s != t ? s > t : spelling(a.left, a.right) > spelling(b.left, b.right);
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
  trainer.forget_corpus();
  trainer.write(result.vocabulary);
  return result;
}

TrainedVocabulary train_bpe(std::string_view text, const BpeOptions& options) {
  return train_bpe(std::span(&text, 1), options);
}

std::uint64_t bpe_bytes(std::span<const std::string_view> texts, std::int64_t merges) {
  const CharacterStream stream = read_alphabet(texts, 1);
  const std::size_t symbols = 1 + texts.size() + stream.character_tokens + stream.barriers;
  constexpr std::size_t of_a_piece = 112;  // its spelling of some bytes, and what finds it
  const auto pieces = static_cast<std::size_t>(std::clamp<std::int64_t>(merges, 0, 1 << 24));
  return BpeTrainer::bytes(symbols) + of_a_piece * (stream.characters.size() + std::min(pieces, symbols / 2));
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
