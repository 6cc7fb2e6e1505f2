#include "toy/train/stories.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "toy/tensor/random.h"
#include "toy/train/story_plots.h"

namespace toy {

namespace {

/// Choices that depend on the seed and the story's number alone.
class Dice {
 public:
  Dice(std::uint64_t seed, std::uint64_t index) : random_(Random(seed).bits() ^ index) {}
  /// Below n, which is small: the bias is less than n / 2^64.
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_.bits() % n); }

 private:
  Random random_;
};

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
char upper(char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); }
char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(at, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// The alternatives of the group that `text` begins with, "[a|b[c|d]]...", and the length of the group.
struct Group {
  std::vector<std::string_view> alternatives;
  std::size_t length = 0;
};
Group group_at(std::string_view text) {
  Group group;
  int depth = 0;
  std::size_t begin = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '[' ? 1 : text[i] == ']' ? -1 : 0;
    if ((text[i] != '|' || depth != 1) && depth != 0) continue;
    group.alternatives.push_back(text.substr(begin, i - begin));
    begin = i + 1;
    if (depth == 0) return {group.alternatives, begin};
  }
  return group;
}

using Slots = std::map<std::string, std::string_view, std::less<>>;

void draw(std::span<const StoryDraw> draws, Dice& dice, std::set<std::string_view>& taken, Slots& slots) {
  for (const StoryDraw& d : draws) {
    if (d.slots.empty()) continue;
    std::string_view entry;
    do {
      entry = d.from[dice.below(d.from.size())];
    } while (!taken.insert(entry).second);
    const auto names = split(d.slots, '/'), values = split(entry, '/');
    for (std::size_t i = 0; i < names.size(); ++i) slots[std::string(names[i])] = values[i];
  }
}

/// The text with its choices made and its slots filled; {He} is {he} with a capital.
void expand(std::string_view text, const Slots& slots, Dice& dice, std::string& out) {
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '[') {
      const Group group = group_at(text.substr(i));
      expand(group.alternatives[dice.below(group.alternatives.size())], slots, dice, out);
      i += group.length;
    } else if (text[i] == '{') {
      const std::size_t end = text.find('}', i);
      std::string name(text.substr(i + 1, end - i - 1));
      auto slot = slots.find(name);
      const bool capital = slot == slots.end();
      if (capital) name[0] = lower(name[0]);
      if (capital) slot = slots.find(name);
      const std::size_t at = out.size();
      expand(slot->second, slots, dice, out);
      if (capital) out[at] = upper(out[at]);
      i = end + 1;
    } else {
      out += text[i++];
    }
  }
}

/// Capitals at the beginning of sentences and of speech, "an" before vowels.
std::string polished(std::string_view text) {
  std::string out;
  bool capital = true, in_speech = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      in_speech = !in_speech;
      capital = in_speech;
    } else if (is_letter(c)) {
      out += capital ? upper(c) : c;
      capital = false;
      const bool article =
          lower(c) == 'a' && (i == 0 || !is_letter(text[i - 1])) && text.substr(i + 1).starts_with(' ');
      if (article && i + 2 < text.size() &&
          std::string_view("aeiou").find(lower(text[i + 2])) != std::string_view::npos) {
        out += 'n';
      }
      continue;
    } else if (c == '.' || c == '!' || c == '?') {
      capital = true;
    }
    out += c;
  }
  return out;
}

/// Numbers of different texts: of a text, the product of its groups; of a group, the sum of its alternatives.
double count_of(std::string_view text) {
  double product = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '[') continue;
    const Group group = group_at(text.substr(i));
    double sum = 0;
    for (const std::string_view alternative : group.alternatives) sum += count_of(alternative);
    product *= sum;
    i += group.length - 1;
  }
  return product;
}

/// Entries of a draw that the draws before it cannot have taken.
double choices_left(const StoryDraw& draw, const std::vector<StoryDraw>& before) {
  const auto may_take = [&](const StoryDraw& other) {
    return std::ranges::find_first_of(draw.from, other.from) != draw.from.end();
  };
  return static_cast<double>(draw.from.size()) - static_cast<double>(std::ranges::count_if(before, may_take));
}

/// True if the slot is in the text outside of every group.
bool always_has(std::string_view text, std::string_view slot) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[') i += group_at(text.substr(i)).length - 1;
    if (text[i] == '{' && text.substr(i + 1).starts_with(slot) && text[i + 1 + slot.size()] == '}') return true;
  }
  return false;
}

}  // namespace

std::string story(std::uint64_t seed, std::uint64_t index) {
  Dice dice(seed, index);
  const StoryPlot& plot = story_plots::all[dice.below(story_plots::all.size())];
  Slots slots;
  std::set<std::string_view> taken;
  draw(hero_draws, dice, taken, slots);
  draw(plot.draws, dice, taken, slots);
  std::string text;
  expand(story_opening, slots, dice, text);
  expand(plot.text, slots, dice, text);
  return polished(text);
}

std::string stories(std::uint64_t seed, std::uint64_t first, std::uint64_t count) {
  std::string all;
  for (std::uint64_t i = 0; i < count; ++i) all += story(seed, first + i) + "\n";
  return all;
}

double story_count() {
  double all = 0;
  for (const StoryPlot& plot : story_plots::all) {
    // Every wording of the opening has the hero's name, kind and trait.
    double own = count_of(story_opening) * count_of(plot.text);
    std::vector<StoryDraw> before;
    for (const StoryDraw& d : hero_draws) {
      own *= choices_left(d, before);
      before.push_back(d);
    }
    for (const StoryDraw& d : plot.draws) {
      if (d.slots.empty()) continue;
      const bool counts =
          std::ranges::any_of(split(d.slots, '/'), [&](auto slot) { return always_has(plot.text, slot); });
      if (counts) own *= choices_left(d, before);
      before.push_back(d);
    }
    all += own;
  }
  return all;
}

std::vector<std::string> story_vocabulary() {
  std::set<std::string> words;
  const auto add = [&](std::string_view text) {
    std::string word;
    bool in_slot = false;
    for (const char c : std::string(text) + " ") {
      in_slot = c == '{' || (in_slot && c != '}');
      if (is_letter(c) && !in_slot) {
        word += lower(c);
      } else if (!word.empty()) {
        words.insert(std::exchange(word, {}));
      }
    }
  };
  add(story_opening);
  const auto add_tables = [&](std::span<const StoryDraw> draws) {
    for (const StoryDraw& d : draws) {
      for (const std::string_view entry : d.from) add(entry);
    }
  };
  add_tables(hero_draws);
  for (const StoryPlot& plot : story_plots::all) {
    add(plot.text);
    add_tables(plot.draws);
  }
  words.insert("an");
  return {words.begin(), words.end()};
}

}  // namespace toy
