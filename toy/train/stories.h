// Small stories in plain English, made by a grammar: a corpus for tiny models that needs no file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace toy {

/// Story number `index` of a seed: 60 to 150 words of plain ASCII on one line, without its end. Who and what is brought
/// in stays the same to the end, and what happens has its cause before it. The same on every machine.
std::string story(std::uint64_t seed, std::uint64_t index);

/// Stories `first` to `first + count - 1`, each with the end of its line.
std::string stories(std::uint64_t seed, std::uint64_t first, std::uint64_t count);

/// How many different stories there are, from below: names and things that only some wordings mention do not count.
double story_count();

/// Every word that a story may hold, in lower case, sorted.
std::vector<std::string> story_vocabulary();

}  // namespace toy
