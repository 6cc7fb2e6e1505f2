#include "toy/text/train_bpe.h"

#include <algorithm>
#include <numeric>
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

  /// Gives every symbol one slot and another number.
  void compact(const std::vector<std::int32_t>& number_of) {
    std::size_t kept = 0;
    for (const std::int32_t symbol : slots_) {
      if (symbol >= 0) slots_[kept++] = number_of[symbol];
    }
    slots_.resize(kept);
  }

 private:
  std::vector<std::int32_t> slots_;
};

/// What two neighbours spell, or a character, or both. The number of a spelling is the symbol of its piece.
struct Spelling {
  static constexpr std::int32_t no_piece = -1;

  std::int32_t piece = no_piece;
  std::uint32_t count = 0;  // of pairs of neighbours
  bool listed = true;       // `places` has them all, and some that are no more
  bool passed_over = false;
  std::vector<Place> places;
};

/// Training proceeds in rounds. A round counts all pairs, and lists the places of those that are at least as frequent
/// as its threshold; it lasts until the most frequent pair is rarer. Lists are never searched: a place that is no
/// longer right is noticed when its turn comes, and a count that is no longer right when it comes to the top of the
/// heap.
class BpeTrainer {
 public:
  BpeTrainer(CharacterStream stream, const BpeOptions& options)
      : options_(options),
        slots_(std::move(stream.symbols)),
        pieces_(std::move(stream.characters)),
        characters_(pieces_.size()),
        tokens_(0),
        reserved_(byte_vocabulary().tokens) {
    for (Place at = 0; at < slots_.size(); ++at) tokens_ += slots_[at] != barrier;
    tokens_ += stream.byte_tokens;
    symbol_of_piece_.resize(pieces_.size());
    std::iota(symbol_of_piece_.begin(), symbol_of_piece_.end(), 1);
    spellings_.resize(pieces_.size() + 1);
  }

  TrainingEnd run() {
    if (merges() < options_.merges) begin_round();
    while (merges() < options_.merges) {
      if (options_.progress && !options_.progress({merges(), options_.merges, tokens_})) return TrainingEnd::cancelled;
      std::optional<std::int32_t> best = most_frequent();
      if (!best) {
        if (threshold_ <= options_.min_pair_count && !stale_round_) return TrainingEnd::no_pairs_left;
        begin_round();
        continue;
      }
      merge(*best);
    }
    return TrainingEnd::complete;
  }

  const std::vector<std::string>& pieces() const { return pieces_; }
  std::size_t characters() const { return characters_; }
  std::int32_t merges() const { return static_cast<std::int32_t>(pieces_.size() - characters_); }
  std::uint64_t tokens() const { return tokens_; }

 private:
  struct HeapEntry {
    std::uint32_t count;
    std::int32_t spelling;
  };
  void begin_round();
  void choose_threshold();
  std::optional<std::int32_t> most_frequent();
  void merge(std::int32_t spelling);
  void join(Place left, Place right, std::int32_t symbol);
  void add_pair(Place left, Place right);
  void remove_pair(std::int32_t left, std::int32_t right);
  void settle_counts();
  void push(std::int32_t spelling);
  std::int32_t spelling_of(std::int32_t left, std::int32_t right);
  bool leads_to_reserved(std::string_view text) const;
  bool comes_later(const HeapEntry& a, const HeapEntry& b) const;

  const BpeOptions& options_;
  SymbolSlots slots_;
  std::vector<std::string> pieces_;  // the characters, then the merges
  std::size_t characters_;
  std::uint64_t tokens_;
  StringTable reserved_;
  std::vector<std::int32_t> symbol_of_piece_;

  PieceTable texts_;  // the texts of spellings_; number 0, the barrier, is empty
  std::vector<Spelling> spellings_;
  PairTable pairs_;
  std::vector<HeapEntry> heap_;
  std::uint32_t threshold_ = 0;
  bool stale_round_ = false;  // a pair became frequent that is not listed
  std::size_t listed_ = 0, most_listed_ = 0;
  std::vector<std::int32_t> grown_;  // spellings whose count rose in this merge
  std::string scratch_;
};

void BpeTrainer::begin_round() {
  std::vector<std::int32_t> number_of(spellings_.size(), barrier);
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    number_of[symbol_of_piece_[i]] = static_cast<std::int32_t>(i) + 1;
    symbol_of_piece_[i] = static_cast<std::int32_t>(i) + 1;
  }
  slots_.compact(number_of);

  spellings_.assign(pieces_.size() + 1, {});
  StringTable texts{""};
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    texts.push_back(pieces_[i]);
    spellings_[i + 1].piece = static_cast<std::int32_t>(i);
  }
  texts_ = PieceTable(std::move(texts));
  pairs_ = {};
  for (Place at = 0; at + 1 < slots_.size(); ++at) {
    if (slots_[at] == barrier || slots_[at + 1] == barrier) continue;
    ++spellings_[spelling_of(slots_[at], slots_[at + 1])].count;
  }

  for (std::size_t i = 0; i < spellings_.size(); ++i) {
    spellings_[i].passed_over = leads_to_reserved(texts_[static_cast<std::int32_t>(i)]);
  }
  choose_threshold();
  heap_.clear();
  for (std::size_t i = 0; i < spellings_.size(); ++i) {
    spellings_[i].listed = spellings_[i].count >= threshold_ && !spellings_[i].passed_over;
    if (!spellings_[i].listed) continue;
    spellings_[i].places.reserve(spellings_[i].count);
    heap_.push_back({spellings_[i].count, static_cast<std::int32_t>(i)});
  }
  std::ranges::make_heap(heap_, [this](const auto& a, const auto& b) { return comes_later(a, b); });
  for (Place at = 0; at + 1 < slots_.size() && !heap_.empty(); ++at) {
    if (slots_[at] == barrier || slots_[at + 1] == barrier) continue;
    Spelling& spelling = spellings_[spelling_of(slots_[at], slots_[at + 1])];
    if (spelling.listed) spelling.places.push_back(at);
  }
}

/// The lowest count such that the pairs at least as frequent fit into the lists; those of the highest count always do.
void BpeTrainer::choose_threshold() {
  std::vector<std::uint32_t> counts;
  for (const Spelling& spelling : spellings_) {
    if (spelling.count >= options_.min_pair_count && !spelling.passed_over) counts.push_back(spelling.count);
  }
  std::ranges::sort(counts, std::greater());
  constexpr std::size_t few = 1 << 16;
  const std::size_t room = options_.listed_places > 0 ? options_.listed_places : std::max(few, slots_.size() / 2);
  listed_ = 0;
  threshold_ = options_.min_pair_count;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (listed_ + counts[i] > room && i > 0 && counts[i] < counts[0]) {
      threshold_ = counts[i] + 1;
      break;
    }
    listed_ += counts[i];
  }
  most_listed_ = listed_ + 2 * room;
  stale_round_ = false;
}

/// The spelling to become a piece; nothing at the end of the round.
std::optional<std::int32_t> BpeTrainer::most_frequent() {
  const auto later = [this](const auto& a, const auto& b) { return comes_later(a, b); };
  if (listed_ > most_listed_) stale_round_ = true;
  while (!heap_.empty() && !stale_round_) {
    const HeapEntry top = heap_.front();
    std::ranges::pop_heap(heap_, later);
    heap_.pop_back();
    Spelling& spelling = spellings_[top.spelling];
    if (spelling.piece != Spelling::no_piece || spelling.passed_over) continue;
    if (spelling.count != top.count) {
      if (spelling.count < top.count) push(top.spelling);
      continue;
    }
    if (leads_to_reserved(texts_[top.spelling])) {
      spelling.passed_over = true;
      spelling.places = {};
      continue;
    }
    if (spelling.listed) return top.spelling;
    stale_round_ = true;
  }
  return std::nullopt;
}

void BpeTrainer::merge(std::int32_t symbol) {
  spellings_[symbol].piece = static_cast<std::int32_t>(pieces_.size());
  pieces_.emplace_back(texts_[symbol]);
  symbol_of_piece_.push_back(symbol);
  std::vector<Place> places = std::exchange(spellings_[symbol].places, {});
  if (!std::ranges::is_sorted(places)) std::ranges::sort(places);

  constexpr std::size_t ahead = 16;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (i + ahead < places.size()) slots_.prefetch(places[i + ahead]);
    const Place left = places[i];
    if (slots_[left] <= barrier) continue;
    const Place right = slots_.next(left);
    if (slots_[right] == barrier || spelling_of(slots_[left], slots_[right]) != symbol) continue;
    join(left, right, symbol);
  }
  settle_counts();
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

void BpeTrainer::add_pair(Place left, Place right) {
  if (slots_[left] == barrier || slots_[right] == barrier) return;
  const std::int32_t number = spelling_of(slots_[left], slots_[right]);
  Spelling& spelling = spellings_[number];
  ++spelling.count;
  if (spelling.listed) spelling.places.push_back(left);
  grown_.push_back(number);
}

void BpeTrainer::remove_pair(std::int32_t left, std::int32_t right) {
  if (left == barrier || right == barrier) return;
  --spellings_[spelling_of(left, right)].count;
}

/// At the end of a merge: counts that rose go on the heap, lists that are too short for this round are dropped.
void BpeTrainer::settle_counts() {
  std::ranges::sort(grown_);
  grown_.erase(std::unique(grown_.begin(), grown_.end()), grown_.end());
  for (const std::int32_t number : grown_) {
    Spelling& spelling = spellings_[number];
    if (spelling.count >= threshold_) {
      listed_ += spelling.places.size();
      push(number);
    } else if (spelling.listed) {
      spelling.listed = false;
      spelling.places = {};
    }
  }
  grown_.clear();
}

void BpeTrainer::push(std::int32_t number) {
  if (spellings_[number].count < threshold_ || spellings_[number].passed_over) return;
  heap_.push_back({spellings_[number].count, number});
  std::ranges::push_heap(heap_, [this](const auto& a, const auto& b) { return comes_later(a, b); });
}

std::int32_t BpeTrainer::spelling_of(std::int32_t left, std::int32_t right) {
  return pairs_.find_or_add(left, right, [&] {
    scratch_.assign(texts_[left]).append(texts_[right]);
    const std::int32_t number = texts_.intern(scratch_);
    if (static_cast<std::size_t>(number) == spellings_.size()) spellings_.emplace_back();
    return number;
  });
}

/// Whether the text, alone or with one piece or character, spells a token that no text may become.
bool BpeTrainer::leads_to_reserved(std::string_view text) const {
  const auto can_stand_beside = [this](std::string_view rest) {
    if (utf8_head(rest).length == rest.size()) return true;
    const auto number = texts_.find(rest);
    return number && spellings_[*number].piece != Spelling::no_piece;
  };
  // All of them stand in angle brackets.
  if (text.empty() || (text.front() != '<' && text.back() != '>')) return false;
  for (std::size_t i = 0; i < reserved_.size(); ++i) {
    const std::string_view reserved = reserved_[i];
    if (text.size() > reserved.size()) continue;
    if (text == reserved) return true;
    if (reserved.starts_with(text) && can_stand_beside(reserved.substr(text.size()))) return true;
    if (reserved.ends_with(text) && can_stand_beside(reserved.substr(0, reserved.size() - text.size()))) return true;
  }
  return false;
}

bool BpeTrainer::comes_later(const HeapEntry& a, const HeapEntry& b) const {
  if (a.count != b.count) return a.count < b.count;
  const std::string_view s = texts_[a.spelling], t = texts_[b.spelling];
  return s.size() != t.size() ? s.size() > t.size() : s > t;
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

/// The space is there already.
void add_piece(Vocabulary& v, std::string_view piece, float score) {
  if (piece == visible_space) return;
  v.tokens.push_back(piece);
  v.types.push_back(TokenType::normal);
  v.scores.push_back(score);
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
  for (std::size_t i = 0; i < trainer.pieces().size(); ++i) {
    const bool is_character = i < trainer.characters();
    add_piece(result.vocabulary, trainer.pieces()[i],
              is_character ? 0.0F : -static_cast<float>(i - trainer.characters() + 1));
  }
  return result;
}

TrainedVocabulary train_bpe(std::string_view text, const BpeOptions& options) {
  return train_bpe(std::span(&text, 1), options);
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
