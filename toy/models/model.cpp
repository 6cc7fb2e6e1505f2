#include "toy/models/model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "toy/io/quote.h"
#include "toy/models/file_kind.h"
#include "toy/models/gpt2.h"
#include "toy/models/llama.h"

namespace toy {

namespace {

struct Architecture {
  std::string_view name;
  std::unique_ptr<Model> (*make)(Hyperparameters&);
};

template <class M>
std::unique_ptr<Model> make(Hyperparameters& h) {
  return std::make_unique<M>(h);
}

constexpr std::array known{
    Architecture{"gpt2", make<GPT2>},
    Architecture{"llama", make<Llama>},
};

}  // namespace

std::string fused_name(std::string_view name, std::string_view part, std::string_view whole) {
  const std::string middle = fmt::format(".{}.", part);
  const auto at = name.find(middle);
  if (at == std::string_view::npos) return {};
  return fmt::format("{}.{}.{}", name.substr(0, at), whole, name.substr(at + middle.size()));
}

void Model::list_ends(Visitor& v) {
  v("token_embd", token_embd);
  v("output.weight", output.weight, {sizes_.V, sizes_.D}, Need::optional);
}

void Model::bind(Context& ctx) const {
  ctx.bind(axes::D, sizes_.D);
  ctx.bind(axes::H, sizes_.H);
  ctx.bind(axes::K, sizes_.K);
  ctx.bind(axes::d, sizes_.d);
  ctx.bind(axes::F, sizes_.F);
  ctx.bind(axes::V, sizes_.V);
}

std::unique_ptr<Model> make_model(Hyperparameters& h) {
  for (const Architecture& a : known) {
    if (a.name != h.architecture()) continue;
    if (h.has_file()) refuse_experts(h.file(), a.name);
    auto model = a.make(h);
    for (const std::string& key : h.unread()) {
      model->add_note(fmt::format("{}: {} is not known here and ignored", h.origin(), key));
    }
    return model;
  }
  const std::string what = fmt::format("general.architecture: unknown architecture {}; known: {}",
                                       in_quotes(h.architecture(), 40), fmt::join(architectures(), ", "));
  if (h.has_file()) fail_in_short(h.file(), what);
  fail("{}: {}", h.origin(), what);
}

std::vector<std::string_view> architectures() {
  std::vector<std::string_view> names;
  names.reserve(std::size(known));
  for (const Architecture& a : known) names.push_back(a.name);
  return names;
}

}  // namespace toy
