#include "toy/io/safetensors.h"

#include <nlohmann/json.hpp>

#include <set>

#include "toy/io/quote.h"
#include "toy/io/safetensors_header.h"
#include "toy/tensor/error.h"

namespace toy {

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  const InputFile file(path);
  SafetensorsHeader header = read_safetensors_header(file);
  SafetensorsFile out;
  out.path_ = path;
  out.tensors_ = std::move(header.tensors);
  out.metadata_ = std::move(header.metadata);
  for (std::size_t i = 0; i < out.tensors_.size(); ++i) out.index_.emplace(out.tensors_[i].name, i);
  out.map_ = std::make_shared<const MappedFile>(file);
  return out;
}

const SafeTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const SafeTensor& SafetensorsFile::get(std::string_view name) const {
  const SafeTensor* tensor = find(name);
  if (tensor == nullptr) fail("{}: missing tensor {}", shown(path_), in_quotes(name));
  return *tensor;
}

std::span<const std::byte> SafetensorsFile::data(const SafeTensor& tensor) const {
  const auto bytes = map_->bytes();
  if (tensor.offset > bytes.size() || tensor.bytes > bytes.size() - tensor.offset) {
    fail("{}: tensor {} is not of this file", shown(path_), in_quotes(tensor.name));
  }
  return bytes.subspan(tensor.offset, tensor.bytes);
}

std::span<const std::byte> SafetensorsFile::data_as(const SafeTensor& tensor, std::string_view type) const {
  if (tensor.type != type) {
    fail("{}: tensor {}: expected type {}, found {}", shown(path_), in_quotes(tensor.name), type,
         in_quotes(tensor.type));
  }
  return data(tensor);
}

void write_safetensors(const std::filesystem::path& path, std::span<const SafeTensorSource> tensors,
                       const std::map<std::string, std::string>& metadata, const FileCalls& calls) {
  nlohmann::ordered_json table = nlohmann::ordered_json::object();
  if (!metadata.empty()) table["__metadata__"] = metadata;
  std::set<std::string_view> seen;
  std::uint64_t end = 0;
  for (const SafeTensorSource& t : tensors) {
    const SafetensorsType* type = safetensors_type(t.dtype);
    if (type == nullptr) fail("tensor {}: safetensors files have no type {}", in_quotes(t.name), name(t.dtype));
    if (t.name == "__metadata__" || !seen.insert(t.name).second) fail("tensor {} is there twice", in_quotes(t.name));
    if (static_cast<std::uint64_t>(bytes_of(t.dtype, t.shape.elements())) != t.data.size()) {
      fail("tensor {}: {} of shape {} does not take {} bytes", in_quotes(t.name), type->name, t.shape.str(),
           t.data.size());
    }
    std::vector<std::int64_t> axes;
    axes.reserve(static_cast<std::size_t>(t.shape.rank()));
    for (int i = 0; i < t.shape.rank(); ++i) axes.push_back(t.shape[i]);
    table[t.name] = {{"dtype", type->name}, {"shape", axes}, {"data_offsets", {end, end + t.data.size()}}};
    end += t.data.size();
  }
  std::string header = table.dump();
  header.append((8 - header.size() % 8) % 8, ' ');
  const auto write = [&](ByteSink& out) {
    out.number<std::uint64_t>(header.size());
    out.text(header);
    for (const SafeTensorSource& t : tensors) out.write(t.data);
  };
  write_atomically(path, write, calls);
}

}  // namespace toy
