// Folders of new runs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace toy::cli {

/// Refuses an --out that is, or is in, something else than a folder.
void check_out(const std::filesystem::path& out);

/// The folder of a new run in `out`, both made here. Unless it is kept it goes again: what began nothing leaves
/// nothing.
class NewRunFolder {
 public:
  /// Called `name`, or ARCH-DATE-NUMBER. Errors: the name is taken, or none.
  NewRunFolder(const std::filesystem::path& out, std::string_view arch, const std::optional<std::string>& name = {});
  ~NewRunFolder();
  NewRunFolder(const NewRunFolder&) = delete;
  NewRunFolder& operator=(const NewRunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void keep() { kept_ = true; }

 private:
  std::vector<std::filesystem::path> made_;  // above the run's folder, the deepest first
  std::filesystem::path path_;
  bool kept_ = false;
};

}  // namespace toy::cli
