// libFuzzer: the bytes are a file of a run: the sidecar of a checkpoint, its configuration, or its tokens.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "toy/train/checkpoint.h"
#include "toy/train/run.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  try {
    if (text.starts_with("TOYTOKEN")) {
      const auto owned = std::make_shared<const std::vector<std::byte>>(bytes, bytes + size);
      const toy::TokenData tokens = toy::TokenData::over(owned, "fuzz");
      for (std::int64_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i] < 0 || tokens[i] >= tokens.vocabulary()) __builtin_trap();
      }
    } else if (text.find("config-v1") != std::string_view::npos) {
      const std::string written = toy::config_text(toy::parse_config(text, "fuzz"));
      if (toy::config_text(toy::parse_config(written, "fuzz")) != written) __builtin_trap();
    } else {
      const std::string written = toy::checkpoint_text(toy::parse_checkpoint(text, "fuzz"));
      if (toy::checkpoint_text(toy::parse_checkpoint(written, "fuzz")) != written) __builtin_trap();
    }
  } catch (const toy::Error&) {
  }
  return 0;
}
