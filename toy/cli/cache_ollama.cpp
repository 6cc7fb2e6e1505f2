// Ollama's models: manifests/HOST/NAMESPACE/MODEL/TAG (JSON) and blobs/sha256-DIGEST.
// https://github.com/ollama/ollama/blob/main/types/model/name.go
#include <fmt/format.h>

#include "toy/cli/caches.h"
#include "toy/cli/json.h"
#include "toy/cli/walk.h"
#include "toy/io/file.h"
#include "toy/tensor/error.h"

namespace toy::cli {

namespace fs = std::filesystem;

namespace {

/// host, namespace, model and tag of a manifest's path.
bool is_name_part(std::string_view part, std::size_t most) {
  if (part.empty() || part.size() > most) return false;
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (!is_letter(part.front())) return false;
  for (const char c : part) {
    if (!is_letter(c) && c != '.' && c != '-' && c != ':') return false;
  }
  return part.find("..") == std::string_view::npos;
}

/// "sha256:<64 hexadecimal digits>" -> the blob's file name; empty for anything else, which could name other files.
std::string blob_name(std::string_view digest) {
  constexpr std::string_view prefix = "sha256";
  if (digest.size() != prefix.size() + 1 + 64 || !digest.starts_with(prefix)) return {};
  if (digest[prefix.size()] != ':' && digest[prefix.size()] != '-') return {};
  const std::string_view hex = digest.substr(prefix.size() + 1);
  if (hex.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) return {};
  return "sha256-" + std::string(hex);
}

/// Layers of other kinds, and why they are no models.
std::string reason_for_layer(std::string_view media_type) {
  if (media_type.ends_with(".adapter")) return "an adapter, not a model of its own";
  if (media_type.ends_with(".projector")) return "a projector for images, not a language model";
  if (media_type.ends_with(".tensor")) return "stored as single tensors, not as a GGUF file";
  return {};
}

/// What a manifest has beside its model that this program does not apply; empty: nothing.
std::string note_of(const Json& layers) {
  bool adapter = false, template_ = false;
  for (const Json& layer : layers) {
    const auto type = layer.is_object() ? layer.find("mediaType") : layer.end();
    if (!layer.is_object() || type == layer.end() || !type->is_string()) continue;
    adapter = adapter || type->get<std::string>().ends_with(".adapter");
    template_ = template_ || type->get<std::string>().ends_with(".template");
  }
  if (!adapter && !template_) return {};
  const std::string_view what = adapter && template_ ? "an adapter and a template"
                                : adapter            ? "an adapter"
                                                     : "a template";
  return fmt::format("Ollama runs it with {}, which toy does not apply, so its answers differ here", what);
}

void add_layers(const Json& manifest, const fs::path& root, const std::string& name, const fs::path& path,
                std::vector<FoundModel>& found) {
  bool has_model = false, told_tensor = false;
  const auto add = [&](const fs::path& place, std::string reason) {
    found.push_back({"ollama", name, place, std::move(reason)});
  };
  const auto text = [](const Json& layer, const char* key) {
    const auto value = layer.find(key);
    return value != layer.end() && value->is_string() ? value->get<std::string>() : std::string();
  };
  const auto layers = manifest.is_object() ? manifest.find("layers") : manifest.end();
  if (!manifest.is_object() || layers == manifest.end() || !layers->is_array()) {
    return add(path, "its manifest has no list of layers");
  }
  for (const Json& layer : *layers) {
    if (!layer.is_object()) continue;
    const std::string media_type = text(layer, "mediaType"), digest = text(layer, "digest");
    if (const std::string reason = reason_for_layer(media_type); !reason.empty()) {
      if (!media_type.ends_with(".tensor") || !told_tensor) add(path, reason);
      told_tensor = told_tensor || media_type.ends_with(".tensor");
      has_model = has_model || told_tensor;
    }
    if (!media_type.ends_with(".image.model")) continue;
    has_model = true;
    const std::string blob = blob_name(digest);
    std::error_code error;
    if (blob.empty()) {
      add(path, "its manifest names something that is no SHA-256 digest");
    } else if (const fs::path file = root / "blobs" / blob; !fs::exists(file, error)) {
      add(path, "its file is missing: blobs/" + blob);
    } else if (!is_inside(file, root)) {
      add(file, "a link out of its folder");
    } else {
      add(file, {});
      found.back().note = note_of(*layers);
    }
  }
  if (!has_model) add(path, "its manifest has no model layer");
}

}  // namespace

void find_in_ollama(const fs::path& root, std::vector<FoundModel>& found) {
  constexpr std::uintmax_t most_bytes = 256 << 10;
  // Nothing of interest lies deeper, and a tree takes many times the bytes of its text.
  const auto shallow = [](int depth, Json::parse_event_t /*event*/, Json& /*value*/) { return depth <= 8; };
  const fs::path manifests = root / "manifests";
  if (root.empty()) return;
  walk(manifests, [&](const WalkedFile& file) {
    const fs::path place = file.path.lexically_relative(manifests);
    const std::vector<std::string> parts(place.begin(), place.end());
    std::error_code error;
    if (!file.problem.empty() || parts.size() != 4 || !is_name_part(parts[0], 350) || !is_name_part(parts[1], 80) ||
        !is_name_part(parts[2], 80) || !is_name_part(parts[3], 80)) {
      found.push_back({"ollama", place.string(), file.path,
                       file.problem.empty() ? "is not HOST/NAMESPACE/MODEL/TAG" : file.problem});
      return;
    }
    std::string name = parts[2] + ":" + parts[3];
    if (parts[1] != "library") name.insert(0, parts[1] + "/");
    if (parts[0] != "registry.ollama.ai") name.insert(0, parts[0] + "/");
    if (fs::file_size(file.path, error) > most_bytes || error) {
      found.push_back({"ollama", name, file.path, "its manifest is too large"});
      return;
    }
    try {
      const Json manifest = Json::parse(read_small_file(file.path, most_bytes), shallow, false);
      add_layers(manifest, root, name, file.path, found);
    } catch (const Error& failed) {
      found.push_back({"ollama", name, file.path, failed.what()});
    }
  });
  for (const std::string& blob : entries_of(root / "blobs")) {
    if (const std::string reason = reason_to_skip(blob); !reason.empty()) {
      found.push_back({"ollama", blob, root / "blobs" / blob, reason});
    }
  }
}

}  // namespace toy::cli
