// Speed of learning a vocabulary from a corpus.
//   bpe_bench FILE [--megabytes N] [--merges N] [--encode]
// The corpus is the lines of the file in another order for each repetition, until there are N megabytes.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <malloc.h>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "toy/tensor/error.h"
#include "toy/text/tokenizer.h"
#include "toy/text/train_bpe.h"

#include "tests/peak.h"

namespace {

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string make_corpus(const std::string& path, std::size_t bytes) {
  std::ifstream in(path, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(in), {}};
  if (file.empty()) toy::refuse("{}: expected a text, found nothing to read", path);
  std::vector<std::string_view> lines;
  for (std::string_view rest = file; !rest.empty(); rest.remove_prefix(lines.back().size())) {
    lines.push_back(rest.substr(0, std::min(rest.find('\n'), rest.size() - 1) + 1));
  }
  std::string corpus;
  corpus.reserve(bytes);
  std::mt19937_64 random(1);
  while (corpus.size() < bytes) {
    for (std::size_t i = lines.size(); i > 1; --i) std::swap(lines[i - 1], lines[random() % i]);
    for (std::size_t i = 0; i < lines.size() && corpus.size() < bytes; ++i) corpus += lines[i];
  }
  corpus.resize(bytes);
  return corpus;
}

void measure(const std::vector<std::string>& words) {
  std::string path;
  double megabytes = 100;
  toy::BpeOptions options;
  options.merges = 4000;
  bool encode = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--encode") {
      encode = true;
    } else if (words[i].starts_with("--") && i + 1 < words.size()) {
      (words[i] == "--merges") ? options.merges = std::atoi(words[i + 1].c_str())
                               : megabytes = std::atof(words[i + 1].c_str());
      ++i;
    } else {
      path = words[i];
    }
  }
  if (path.empty()) toy::refuse("usage: bpe_bench FILE [--megabytes N] [--merges N] [--encode]");

  const std::string corpus = make_corpus(path, static_cast<std::size_t>(megabytes * 1e6));
  malloc_trim(0);  // what making it took is not there for the training
  const std::int64_t before = toy::testing::resident_bytes();
  double begin = seconds();
  const toy::TrainedVocabulary trained = toy::train_bpe(corpus, options);
  double time = seconds() - begin;
  const std::string_view text = corpus;
  fmt::print(
      "train: {:.1f} MB, {} merges, {:.2f} s, {:.2f} MB/s; {:.2f} bytes a token; {:.1f} MB of memory, {:.1f} "
      "foreseen\n",
      megabytes, trained.merges, time, megabytes / time,
      static_cast<double>(trained.bytes) / static_cast<double>(trained.tokens),
      static_cast<double>(toy::testing::peak_bytes() - before) / 1e6,
      static_cast<double>(toy::bpe_bytes(std::span(&text, 1), options.merges)) / 1e6);
  if (!encode) return;
  const auto tokenizer = toy::Tokenizer::from_vocabulary(trained.vocabulary);
  begin = seconds();
  const auto ids = tokenizer.encode(corpus, {.add_special = false});
  time = seconds() - begin;
  fmt::print("encode: {} tokens (training counted {}), {:.2f} s, {:.2f} MB/s\n", ids.size(), trained.tokens, time,
             megabytes / time);
}

}  // namespace

int main(int argc, char** argv) try {
  measure({argv + 1, argv + argc});
  return 0;
} catch (const toy::Error& error) {
  fmt::print(stderr, "bpe_bench: {}\n", error.what());
  return 2;
}
