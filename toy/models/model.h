// What every architecture offers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "toy/models/hyperparameters.h"
#include "toy/nn/context.h"
#include "toy/nn/linear.h"
#include "toy/nn/module.h"
#include "toy/tensor/ops/cross_entropy.h"

namespace toy {

/// The axes of a transformer, in the letters of toy/nn/axes.h.
struct Sizes {
  std::int64_t context = 0;  // positions it was trained on
  std::int64_t V = 0, D = 0, L = 0, H = 0, K = 0, d = 0, F = 0;
  bool learned_positions = false;  // then `context` is a hard limit
};

/// A tensor that files may store as one, its parts row after row: attn_qkv = [attn_q; attn_k; attn_v].
struct Fused {
  std::string_view name;
  std::vector<std::string_view> parts;
  bool saved = false;  // other readers of this architecture know no other form
};

/// "blk.3.attn_q.weight" with part "attn_q" of "attn_qkv" -> "blk.3.attn_qkv.weight"; empty when it is no part.
std::string fused_name(std::string_view name, std::string_view part, std::string_view whole);

/// A language model: token ids in, hidden rows out, and a head.
class Model : public Module {
 public:
  /// The hidden rows [R, D] after the last norm, of the rows that ctx wants.
  virtual Tensor forward(Context& ctx) const = 0;
  /// Logits [R, V] of hidden rows [R, D].
  Tensor logits(const Tensor& hidden) const {
    return linear(hidden, output.weight ? output.weight : token_embd.weight);
  }

  /// Cross-entropy of the hidden rows' next tokens, a scalar: its sum divided by `count`, or, where that is 0, by the
  /// number of rows that count. targets [R] I32, -1 where a row does not.
  Tensor loss(const Tensor& hidden, const Tensor& targets, std::int64_t count = 0) const {
    return cross_entropy(hidden, output.weight ? output.weight : token_embd.weight, targets, count);
  }

  /// Called once when all parameters are there.
  virtual void loaded(Device& /*device*/) {}
  /// A tensor of the file that is no parameter: nothing trains it.
  virtual bool constant(std::string_view /*name*/) const { return false; }
  /// Tensors that files of this architecture may fuse.
  virtual std::vector<Fused> fused() const { return {}; }

  /// What the file says and the model does not know, one line each; the program shows them.
  const std::vector<std::string>& notes() const { return notes_; }
  void add_note(std::string note) { notes_.push_back(std::move(note)); }

  // Blocks hold addresses of their model.
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const Sizes& sizes() const { return sizes_; }
  KVShape kv_shape() const { return {static_cast<int>(sizes_.L), sizes_.K, sizes_.d}; }
  bool tied() const { return !output.weight; }

  Embedding token_embd;
  Linear output;  // absent when tied to token_embd

 protected:
  explicit Model(const Sizes& sizes) : token_embd(sizes.V, sizes.D), output(sizes.D, sizes.V), sizes_(sizes) {}
  /// Lists the embedding and the head; output may be absent.
  void list_ends(Visitor& v);
  /// Binds the axes for the checks of one forward.
  void bind(Context& ctx) const;

 private:
  Sizes sizes_;
  std::vector<std::string> notes_;
};

/// Makes the modules of the file's architecture, without elements. Errors: an unknown architecture (names the known
/// ones), hyperparameters that do not fit.
std::unique_ptr<Model> make_model(Hyperparameters& h);
/// Names of the architectures, sorted.
std::vector<std::string_view> architectures();

}  // namespace toy
