// What --json prints has the keys and types that the manifest promises.
#pragma once

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

#include "tests/cli/process.h"

namespace toy::testing {

using Json = nlohmann::json;

/// Checks a value against the fields of one form of the manifest.
class Form {
 public:
  /// The form of the verb that `words` begin with; a verb of two words is found before one of the first word alone.
  Form(const std::vector<std::string>& words, const std::string& when) {
    static const Json manifest = Json::parse(toy({"--manifest"}).out);
    std::size_t longest = 0;
    for (const Json& v : manifest["verbs"]) {
      const std::string name = v["name"];
      if (name != words[0] && (words.size() < 2 || name != words[0] + " " + words[1])) continue;
      if (name.size() < longest) continue;
      longest = name.size();
      for (const Json& form : v["json"]) {
        if (form["when"] == when) fields_ = form["fields"];
      }
    }
    EXPECT_FALSE(fields_.empty());
  }

  void check(const Json& value, const std::string& path = "") const {
    if (value.is_object()) {
      for (const auto& [key, member] : value.items()) check_member(path.empty() ? key : path + "." + key, path, member);
      for (const Json& field : fields_) {
        const std::string name = field["path"];
        const auto dot = name.rfind('.');
        const std::string parent = dot == std::string::npos ? "" : name.substr(0, dot);
        const std::string key = name.substr(dot == std::string::npos ? 0 : dot + 1);
        if (parent != path || !field["always"] || key.ends_with("[]")) continue;
        EXPECT_TRUE(value.contains(key)) << name;
      }
    } else if (value.is_array()) {
      for (const Json& element : value) check_member(path + "[]", path, element);
    }
  }

 private:
  void check_member(const std::string& path, const std::string& parent, const Json& value) const {
    for (const Json& field : fields_) {
      const std::string name = field["path"];
      if (name != path && name != parent + ".*") continue;
      EXPECT_TRUE(has_type(value, field["type"])) << path << " is not " << field["type"] << ": " << value;
      return check(value, path);
    }
    ADD_FAILURE() << path << " is not in the manifest";
  }

  static bool has_type(const Json& value, std::string types) {
    types += " or ";
    for (std::size_t at = 0; at < types.size();) {
      const std::size_t end = types.find(" or ", at);
      const std::string type = types.substr(at, end - at);
      if ((type == "integer" && value.is_number_integer()) || (type == "number" && value.is_number()) ||
          (type == "string" && value.is_string()) || (type == "boolean" && value.is_boolean()) ||
          (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
          (type == "null" && value.is_null())) {
        return true;
      }
      at = end + 4;
    }
    return false;
  }

  Json fields_;
};

/// Runs a verb that succeeds with one line of JSON, of the promised form.
inline Json answer(std::vector<std::string> words, const std::string& when = "", const Start& start = {}) {
  words.emplace_back("--json");
  const Finished f = toy(words, start);
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(lines(f.out), 1);
  Json json = Json::parse(f.out, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << f.out;
  Form(words, when).check(json);
  return json;
}

}  // namespace toy::testing
