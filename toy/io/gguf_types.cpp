#include "toy/io/gguf_types.h"

#include <array>
#include <optional>

#include "toy/io/quote.h"
#include "toy/tensor/error.h"

namespace toy {

namespace {

struct GgufType {
  std::uint32_t id;
  std::string_view name;
  std::optional<DType> dtype;  // empty: known, not supported
};

constexpr std::array gguf_types = {
    GgufType{0, "F32", DType::F32},
    GgufType{1, "F16", DType::F16},
    GgufType{2, "Q4_0", DType::Q4_0},
    GgufType{3, "Q4_1", DType::Q4_1},
    GgufType{4, "Q4_2 (removed)", {}},
    GgufType{5, "Q4_3 (removed)", {}},
    GgufType{6, "Q5_0", DType::Q5_0},
    GgufType{7, "Q5_1", DType::Q5_1},
    GgufType{8, "Q8_0", DType::Q8_0},
    GgufType{9, "Q8_1", {}},
    GgufType{10, "Q2_K", DType::Q2_K},
    GgufType{11, "Q3_K", DType::Q3_K},
    GgufType{12, "Q4_K", DType::Q4_K},
    GgufType{13, "Q5_K", DType::Q5_K},
    GgufType{14, "Q6_K", DType::Q6_K},
    GgufType{15, "Q8_K", {}},
    GgufType{16, "IQ2_XXS", {}},
    GgufType{17, "IQ2_XS", {}},
    GgufType{18, "IQ3_XXS", {}},
    GgufType{19, "IQ1_S", {}},
    GgufType{20, "IQ4_NL", DType::IQ4_NL},
    GgufType{21, "IQ3_S", {}},
    GgufType{22, "IQ2_S", {}},
    GgufType{23, "IQ4_XS", DType::IQ4_XS},
    GgufType{24, "I8", DType::I8},
    GgufType{25, "I16", DType::I16},
    GgufType{26, "I32", DType::I32},
    GgufType{27, "I64", DType::I64},
    GgufType{28, "F64", DType::F64},
    GgufType{29, "IQ1_M", {}},
    GgufType{30, "BF16", DType::BF16},
    GgufType{31, "Q4_0_4_4 (removed)", {}},
    GgufType{32, "Q4_0_4_8 (removed)", {}},
    GgufType{33, "Q4_0_8_8 (removed)", {}},
    GgufType{34, "TQ1_0", {}},
    GgufType{35, "TQ2_0", {}},
    GgufType{36, "IQ4_NL_4_4 (removed)", {}},
    GgufType{37, "IQ4_NL_4_8 (removed)", {}},
    GgufType{38, "IQ4_NL_8_8 (removed)", {}},
    GgufType{39, "MXFP4", DType::MXFP4},
    GgufType{40, "NVFP4", {}},
    GgufType{41, "Q1_0", {}},
    GgufType{42, "Q2_0", {}},
};

constexpr bool ids_are_positions() {
  for (std::size_t i = 0; i < gguf_types.size(); ++i) {
    if (gguf_types[i].id != i) return false;
  }
  return true;
}
static_assert(ids_are_positions());

}  // namespace

DType dtype_of_gguf(std::uint32_t id, std::string_view tensor, std::string_view where) {
  if (id >= gguf_types.size()) {
    fail("{}: tensor {} has the unknown type {}, expected 0 to {}", where, in_quotes(tensor), id,
         gguf_types.size() - 1);
  }
  const GgufType& type = gguf_types[id];
  if (!type.dtype) {
    fail("{}: tensor {} has type {} ({}), which is not supported: quantize the model to another type", where,
         in_quotes(tensor), type.name, id);
  }
  return *type.dtype;
}

std::uint32_t gguf_id(DType type) {
  for (const GgufType& t : gguf_types) {
    if (t.dtype == type) return t.id;
  }
  fail("type {} has no number in GGUF files", name(type));
}

}  // namespace toy
