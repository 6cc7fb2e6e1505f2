#include "toy/train/recipe.h"

#include <fmt/format.h>

#include "toy/io/gguf.h"
#include "toy/io/plural.h"
#include "toy/io/quote.h"
#include "toy/models/file_kind.h"
#include "toy/train/estimate.h"

namespace toy {

namespace {

TokenData encode(const Tokenizer& tokenizer, const Corpus& corpus, const std::optional<Place>& place,
                 const EncodingOptions& options, const FromScratch::Progress& progress) {
  const auto encoded = [&] {
    return encode_documents(tokenizer, corpus.documents(), options, [&](std::uint64_t done, std::uint64_t all) {
      return !progress || progress("corpus", static_cast<std::int64_t>(done), static_cast<std::int64_t>(all));
    });
  };
  if (!place) {
    return TokenData::over(std::make_shared<const std::vector<std::byte>>(encoded()), corpus.description());
  }
  write_atomically(*place, [bytes = encoded()](ByteSink& sink) { sink.write(bytes); });
  return TokenData::open(*place);  // mapped, when the bytes are gone
}

/// Nothing had to be learned.
TrainedVocabulary ready(Vocabulary vocabulary) {
  TrainedVocabulary made;
  made.vocabulary = std::move(vocabulary);
  return made;
}

}  // namespace

TrainedVocabulary FromScratch::make_vocabulary(const Corpus& corpus, const Progress& progress) const {
  if (vocabulary.cuts < 0 || vocabulary.cuts > 1000) {
    refuse("cuts: expected 0 to 1000, found {}", vocabulary.cuts);
  }
  const bool pieces = vocabulary.kind != "byte" && vocabulary.kind != "char";
  if (vocabulary.cuts > 0 && !pieces) {
    refuse("cuts: they break pieces, and a vocabulary of {}s has none",
           vocabulary.kind == "byte" ? "byte" : "character");
  }
  if (vocabulary.merges < 0 || vocabulary.merges > 1 << 20) {
    refuse("vocab-size: expected 0 to {} merges, found {}", 1 << 20, vocabulary.merges);
  }
  require_memory(data_memory(vocabulary, corpus.documents(), nullptr), corpus.bytes());
  if (vocabulary.kind == "byte") return ready(byte_vocabulary());
  if (vocabulary.kind == "char") return character_vocabulary(corpus.documents());
  if (vocabulary.kind != "bpe") {
    std::error_code missing;
    const bool there = std::filesystem::exists(vocabulary.kind, missing);
    const bool names_nothing = !missing || missing == std::errc::no_such_file_or_directory;
    if (!there && names_nothing && std::filesystem::path(vocabulary.kind).extension() != ".gguf") {
      refuse("vocab: expected bpe, char, byte or a GGUF file, found {}", in_quotes(vocabulary.kind));
    }
    const GgufFile file = GgufFile::open(vocabulary.kind, {.map = false, .require_data = false});
    require_tokenizer(file);
    return ready(read_vocabulary(file.metadata()));
  }
  BpeOptions bpe;
  bpe.merges = static_cast<std::int32_t>(vocabulary.merges);
  if (progress) bpe.progress = [&](const BpeProgress& p) { return progress("vocabulary", p.merges, p.wanted); };
  TrainedVocabulary trained = train_bpe(corpus.documents(), bpe);
  if (trained.end == TrainingEnd::cancelled) fail("interrupted while the vocabulary was learned; nothing was trained");
  return trained;
}

std::string few_pieces(const TrainedVocabulary& words) {
  return fmt::format("the vocabulary has {} learned {}: no pair that may become one is left twice in the corpus",
                     words.merges, plural(words.merges, "piece"));
}

Training FromScratch::realize(Device& device, const Corpus& corpus, const std::optional<Place>& tokens,
                              const Progress& progress) const {
  options.check();
  (void)model.resolved();
  return realize(device, corpus, make_vocabulary(corpus, progress).vocabulary, tokens, progress);
}

Training FromScratch::realize(Device& device, const Corpus& corpus, Vocabulary words,
                              const std::optional<Place>& tokens, const Progress& progress) const {
  options.check();
  const ModelConfig shape = model.resolved();
  Metadata metadata = model_metadata(shape, words, name);
  Tokenizer tokenizer = Tokenizer::from_vocabulary(std::move(words));
  const DataMemory data_bytes = data_memory(vocabulary, corpus.documents(), &tokenizer);
  require_memory(training_memory(metadata, options, data_bytes));
  TokenData data = encode(tokenizer, corpus, tokens, {vocabulary.cuts, options.seed}, progress);
  auto made = initialized_model(metadata, device, options.seed);
  return {
      {&device, std::move(metadata), std::move(made), std::move(tokenizer), std::move(data)}, shape.context, options};
}

}  // namespace toy
