// Hyperparameters of a file, read by key, checked, and remembered for error messages.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "toy/io/gguf.h"
#include "toy/nn/rope.h"

namespace toy {

/// Reads keys "<architecture>.<name>". Errors name the key, what was expected and what was found.
class Hyperparameters {
 public:
  /// Errors: the file is no model (says what it is).
  explicit Hyperparameters(const GgufFile& file);
  /// Of a model that no file holds yet; `origin` begins the messages. The metadata must outlive it.
  Hyperparameters(const Metadata& metadata, std::string origin);

  const std::string& architecture() const { return architecture_; }
  /// The file they are read from. Errors: there is none.
  const GgufFile& file() const;
  bool has_file() const { return file_ != nullptr; }
  /// Where they are from, for messages: a path.
  const std::string& origin() const { return origin_; }
  bool has(std::string_view name);
  /// An integer in [min, max]. An array of equal ones, one for each layer, is that one; here and in number(), layers
  /// that differ are an error.
  std::int64_t count(std::string_view name, std::int64_t min, std::int64_t max);
  std::int64_t count_or(std::string_view name, std::int64_t absent, std::int64_t min, std::int64_t max);
  /// A finite number in [min, max].
  float number(std::string_view name, float min, float max);
  float number_or(std::string_view name, float absent, float min, float max);
  std::string text_or(std::string_view name, std::string absent);
  /// block_count. Errors: more layers than the file has tensors for, or than any model has.
  std::int64_t layers();
  /// Rows of the embedding: vocab_size, else the number of tokens, else the rows of token_embd.weight.
  std::int64_t vocabulary();
  /// rope.* for heads of width d. Errors: an unknown kind of scaling.
  RopeOptions rope(std::int64_t head_width, std::int64_t context);
  /// Fails unless `divisor` divides `number`; both are names of keys.
  void must_divide(std::string_view divisor, std::int64_t d, std::string_view number, std::int64_t n) const;

  /// Fails unless the two are equal; both are names of keys.
  void must_equal(std::string_view a, std::int64_t a_value, std::string_view b, std::int64_t b_value) const;
  /// Keys "<architecture>.*" of the file that nobody asked for and that may change what the model computes.
  std::vector<std::string> unread() const;

  /// "llama.embedding_length = 64, llama.block_count = 5": what was read so far.
  std::string str() const;

 private:
  /// The value of a key that is a number, or an array of equal ones. Errors: an empty one, unequal ones.
  template <class T>
  T uniform(const std::string& key) const;
  std::string key(std::string_view name) const { return architecture_ + "." + std::string(name); }

  const Metadata* metadata_;
  const GgufFile* file_ = nullptr;
  std::string origin_;
  std::string architecture_;
  std::vector<std::pair<std::string, std::int64_t>> read_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace toy
