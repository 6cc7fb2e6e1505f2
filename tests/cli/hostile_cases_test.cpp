// Generated hostile run folders, caches, names and terminals. TOY_HOSTILE_CASES: how many of each; 25 without.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cstdlib>
#include <random>
#include <sys/stat.h>

#include "tests/cli/hostile.h"
#include "tests/sanitized.h"

namespace toy::testing {
namespace {

namespace fs = std::filesystem;

int case_count() {
  const char* wanted = std::getenv("TOY_HOSTILE_CASES");
  return wanted == nullptr ? 25 : std::atoi(wanted);
}

using Words = std::vector<std::string>;

/// Texts that programs have tripped over.
const std::vector<std::string>& hostile_texts() {
  static const std::vector<std::string> texts{"",
                                              ".",
                                              "..",
                                              "../../outside/secret",
                                              "/dev/zero",
                                              "/etc/passwd",
                                              "\x1b[2J",
                                              "\x1b]52;c;aGk=\x07",
                                              "\xc2\x9b\x33\x31m",
                                              "\u202e\u2066",
                                              "a\nb\rc\td",
                                              "\xff\xfe\xc0\x80",
                                              std::string("a\0b", 3),
                                              "$(touch pwned)",
                                              "`touch pwned`",
                                              "%s%n%s",
                                              "{}{0}",
                                              "'; rm -rf outside; '",
                                              "--help",
                                              "-",
                                              std::string(300, 'A'),
                                              std::string(70'000, 'B'),
                                              "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
                                              "999999999999999999999999999999",
                                              "-1",
                                              "NaN"};
  return texts;
}

class HostileCases : public ::testing::Test {
 protected:
  HostileCases() {
    fs::create_directories(outside / "folder");
    write_file(outside / "secret", "somebody's own\n");
    write_file(outside / "folder/step-2.gguf", "somebody's own\n");
    write_file(outside / "folder/step-900.json", "{}");
  }

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random() % n); }
  template <class List>
  const auto& any(const List& list) {
    return list[below(list.size())];
  }
  const std::string& text() { return any(hostile_texts()); }
  /// A text that can be the name of a file.
  std::string file_name() {
    std::string name = text().substr(0, 100);
    std::erase_if(name, [](char c) { return c == '/' || c == '\0'; });
    return name.empty() || name == "." || name == ".." ? "name" : name;
  }

  /// Puts something else in the place of a file or folder.
  void spoil(const fs::path& path) {
    std::error_code ignored;
    const std::string before = is_file(path) ? read_file(path) : "";
    const std::size_t way = below(14);
    if (way < 8) fs::remove_all(path, ignored);
    switch (way) {
      case 0:
        return fs::create_symlink(outside / "secret", path, ignored);
      case 1:
        return fs::create_symlink(outside / "folder", path, ignored);
      case 2:
        return fs::create_symlink(outside / "new", path, ignored);
      case 3:
        return fs::create_symlink(path.filename(), path, ignored);
      case 4:
        return fs::create_symlink(any(std::array{"/dev/zero", "/dev/full", "/proc/self/mem", "/proc"}), path, ignored);
      case 5:
        return (void)::mkfifo(path.c_str(), 0600);
      case 6:
        return (void)fs::create_directory(path, ignored);
      case 7:
        return fs::create_hard_link(outside / "secret", path, ignored);
      case 8:
        return write(path, "");
      case 9:
        return write(path, before.substr(0, below(before.size() + 1)));
      case 10:
        return write(path, before + text());
      default:
        return write(path, changed(before));
    }
  }
  static bool is_file(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(fs::symlink_status(path, ignored));
  }
  static void write(const fs::path& path, const std::string& bytes) {
    if (is_file(path)) write_file(path, bytes);
  }
  std::string changed(std::string bytes) {
    for (std::size_t times = 1 + below(4); times > 0 && !bytes.empty(); --times) {
      const std::size_t at = below(bytes.size());
      if (below(2) == 0) {
        bytes[at] = static_cast<char>(below(256));
      } else {
        bytes.replace(at, below(20), text());
      }
    }
    return bytes;
  }

  /// Runs the program and expects: an end in time by itself, bounded memory, nothing outside changed.
  void expect_harmless(const Words& words) {
    const auto before = fingerprints(outside);
    const Finished f = toy_in_time(words, {.environment = {{"HOME", inside + "/home"}}, .folder = inside});
    EXPECT_EQ(f.signal, 0) << "ended by a signal; SIGKILL: took too long";
    EXPECT_LE(f.code, 2);
    EXPECT_EQ(f.err.find("Sanitizer"), std::string::npos) << f.err;
    EXPECT_EQ(steering(f.err), "");
    EXPECT_TRUE(sanitized() || f.peak_bytes < std::int64_t{256} << 20) << f.peak_bytes;
    EXPECT_LT(f.out.size() + f.err.size(), 4U << 20);
    EXPECT_EQ(fingerprints(outside), before);
  }

  Folder scratch;
  const std::string inside = (scratch / "inside").string();
  const fs::path outside = scratch / "outside";
  std::mt19937_64 random{20260531};  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same cases every time
};

TEST_F(HostileCases, run_folders) {
  const fs::path run = fs::path(inside) / "runs/mine";
  write_file(fs::path(inside) / "corpus.txt", std::string(3000, 'a') + "b");
  const Finished made = toy({"train",        "from-scratch",
                             "--corpus",     "corpus.txt",
                             "--vocab",      "byte",
                             "--steps",      "4",
                             "--save-every", "2",
                             "--d-model",    "16",
                             "--heads",      "2",
                             "--layers",     "1",
                             "--context",    "16",
                             "--eval-every", "0",
                             "--gen-every",  "0",
                             "--batch-size", "1",
                             "--threads",    "1"},
                            {.folder = inside});
  ASSERT_EQ(made.code, 0) << made.err;
  const fs::path good = scratch / "good";
  for (const auto& entry : fs::directory_iterator(run.parent_path())) fs::rename(entry.path(), good);
  const std::vector<std::string> parts{"events.jsonl",
                                       "config.json",
                                       "flow.json",
                                       "data",
                                       "data/tokens.bin",
                                       "weights",
                                       "weights/step-2.gguf",
                                       "weights/step-4.gguf",
                                       "weights/step-900.gguf",
                                       "state",
                                       "state/step-2.gguf",
                                       "state/step-4.gguf",
                                       "state/step-2.json",
                                       "state/step-4.json",
                                       "state/step-900.json",
                                       "events.jsonl.damaged",
                                       "weights/.toy-0123456789abcdef.tmp"};
  const std::vector<Words> verbs{{"train", "from-scratch", "--resume", "runs/mine", "--steps", "6", "--threads", "1"},
                                 {"train", "from-scratch", "--resume", "runs/mine/weights/step-2.gguf", "--steps", "5"},
                                 {"runs"},
                                 {"runs", "show", "mine"},
                                 {"runs", "show", "mine", "--check", "--json"},
                                 {"runs", "compare", "mine", "mine"},
                                 {"infer", "runs/mine/weights/step-4.gguf", "--prompt", "a", "--n", "2"},
                                 {"describe", "runs/mine"}};
  for (int i = 0; i < case_count() && !HasFailure(); ++i) {
    fs::remove_all(run.parent_path());
    fs::create_directory(run.parent_path());
    fs::copy(good, run, fs::copy_options::recursive);
    std::string spoiled;
    for (std::size_t times = 1 + below(3); times > 0; --times) {
      const std::string& part = any(parts);
      spoil(run / part);
      spoiled += part + " ";
    }
    // Resuming changes most, so it is what is tried most.
    const Words& words = below(2) == 0 ? verbs[below(2)] : any(verbs);
    SCOPED_TRACE("case " + std::to_string(i) + ": " + words[0] + ", " + spoiled);
    expect_harmless(words);
    EXPECT_FALSE(fs::exists(outside / "new"));
  }
}

TEST_F(HostileCases, caches) {
  const fs::path home = fs::path(inside) / "home", hub = home / ".cache/huggingface/hub/models--org--repo",
                 ollama = home / ".ollama/models";
  const std::string commit(40, 'a'), digest(64, '1'), model = read_file(small_llama().write(scratch / "m.gguf"));
  for (int i = 0; i < case_count() && !HasFailure(); ++i) {
    fs::remove_all(home);
    write_file(hub / "refs/main", commit);
    write_file(hub / "snapshots" / commit / "m.gguf", model);
    write_file(ollama / "blobs" / ("sha256-" + digest), model);
    const nlohmann::json layer{{"mediaType", "application/vnd.ollama.image.model"}, {"digest", "sha256:" + digest}};
    write_file(ollama / "manifests/registry.ollama.ai/library/m/latest", nlohmann::json{{"layers", {layer}}}.dump());
    const std::vector<fs::path> parts{hub / "refs/main",
                                      hub / "refs",
                                      hub / "snapshots" / commit,
                                      hub / "snapshots" / commit / "m.gguf",
                                      hub / "snapshots" / commit / file_name(),
                                      hub.parent_path() / ("models--" + file_name()),
                                      ollama / "manifests/registry.ollama.ai/library/m/latest",
                                      ollama / "manifests/registry.ollama.ai/library/m" / file_name(),
                                      ollama / "manifests/registry.ollama.ai/library/m",
                                      ollama / "blobs" / ("sha256-" + digest),
                                      ollama / "blobs" / file_name()};
    std::string spoiled;
    for (std::size_t times = 1 + below(3); times > 0; --times) {
      const fs::path& part = any(parts);
      spoil(part);
      spoiled += part.filename().string() + " ";
    }
    const std::vector<Words> verbs{
        {"list"}, {"list", "--json"}, {"describe", "m"}, {"tokenize", "m:latest", "--text", "a"}};
    const Words& words = any(verbs);
    SCOPED_TRACE("case " + std::to_string(i) + ": " + words[0] + ", " + spoiled);
    expect_harmless(words);
  }
}

/// A model with hostile names and texts.
SmallModel named(const std::array<std::string, 4>& texts) {
  SmallModel model = steering_llama();
  model.metadata.set("general.name", texts[0]);
  if (texts[1].size() > 3) model.metadata.set("general.architecture", texts[1]);
  model.metadata.set("tokenizer.chat_template", texts[2]);
  std::string key = "x" + texts[3].substr(0, 60'000);
  std::erase(key, '\0');
  model.metadata.set(key, texts[0]);
  return model;
}

TEST_F(HostileCases, names) {
  for (int i = 0; i < case_count() && !HasFailure(); ++i) {
    const fs::path data = fs::path(inside) / "data";
    fs::remove_all(data);
    const fs::path path = data / (file_name() + ".gguf");
    named({text(), text(), text(), text()}).write(path);
    if (below(3) == 0) write_file(path, changed(read_file(path)));
    const std::vector<Words> verbs{{"list"},
                                   {"list", "--json"},
                                   {"describe", path},
                                   {"describe", path, "--json"},
                                   {"tokenize", path, "--text", text().c_str()},
                                   {"infer", path, "--prompt-ids", "5", "--n", "4"},
                                   {"infer", text().c_str(), "--prompt", "a"}};
    const Words& words = any(verbs);
    SCOPED_TRACE("case " + std::to_string(i) + ": " + words[0] + " " + path.string());
    expect_harmless(words);
  }
}

TEST_F(HostileCases, terminals) {
  for (int i = 0; i < case_count() && !HasFailure(); ++i) {
    const fs::path data = fs::path(inside) / "data";
    fs::remove_all(data);
    const fs::path path = data / (file_name() + ".gguf");
    named({text(), below(2) == 0 ? text() : "", text(), text()}).write(path);
    const std::vector<Words> verbs{{"list"},
                                   {"describe", path},
                                   {"describe", path, "--json"},
                                   {"tokenize", path, "--text", text().c_str()},
                                   {"eval", path, "--prompt-ids", "5,6,7"},
                                   {"infer", path, "--prompt-ids", "5", "--n", "8"},
                                   {"infer", text().c_str(), "--prompt", "a"}};
    const Words& words = any(verbs);
    SCOPED_TRACE("case " + std::to_string(i) + ": " + words[0] + " " + path.string());
    EXPECT_EQ(steering(on_terminal(words, inside)), "");
  }
}

}  // namespace
}  // namespace toy::testing
