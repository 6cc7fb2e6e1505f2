// Who and what the stories are about. An entry with slashes gives several slots at once.
#pragma once

#include <array>
#include <string_view>

namespace toy::story_words {

using std::string_view;

/// Name, he, him, his, child.
constexpr std::array<string_view, 16> names = {
    "Lily/she/her/her/girl", "Mia/she/her/her/girl",  "Anna/she/her/her/girl", "Sara/she/her/her/girl",
    "Lucy/she/her/her/girl", "Emma/she/her/her/girl", "Ella/she/her/her/girl", "Rosa/she/her/her/girl",
    "Tom/he/him/his/boy",    "Ben/he/him/his/boy",    "Max/he/him/his/boy",    "Sam/he/him/his/boy",
    "Leo/he/him/his/boy",    "Tim/he/him/his/boy",    "Jack/he/him/his/boy",   "Noah/he/him/his/boy"};

constexpr std::array<string_view, 7> kinds = {"{child}", "cat", "dog", "rabbit", "bear", "mouse", "fox"};
constexpr std::array<string_view, 7> friend_kinds = {"{child2}", "cat", "dog", "rabbit", "bear", "mouse", "fox"};
constexpr std::array<string_view, 6> traits = {"little", "kind", "brave", "happy", "funny", "clever"};

/// Mom, he, him.
constexpr std::array<string_view, 4> adults = {"mom/she/her", "dad/he/him", "grandma/she/her", "grandpa/he/him"};

constexpr std::array<string_view, 6> colors = {"red", "blue", "green", "yellow", "white", "orange"};
constexpr std::array<string_view, 6> toys = {"ball", "car", "boat", "drum", "train", "robot"};
constexpr std::array<string_view, 5> toys_that_break = {"car", "boat", "drum", "train", "robot"};
constexpr std::array<string_view, 4> toys_for_outside = {"ball", "kite", "boat", "hoop"};
constexpr std::array<string_view, 3> things_that_mend = {"glue", "tape", "string"};

constexpr std::array<string_view, 5> places = {"the park", "the garden", "the forest", "the field", "the farm"};
constexpr std::array<string_view, 6> spots = {"under the bed", "behind the door", "in the big box",
                                              "on the shelf",  "under the table", "next to the window"};
constexpr std::array<string_view, 4> beds = {"by the fence", "near the house", "next to the wall", "under the window"};
constexpr std::array<string_view, 4> goals = {"the old tree", "the river", "the hill", "the bridge"};

constexpr std::array<string_view, 5> foods = {"apple", "pear", "cookie", "bun", "pie"};
constexpr std::array<string_view, 4> fillings = {"apples", "honey", "nuts", "berries"};
constexpr std::array<string_view, 4> ingredients = {"eggs", "butter", "milk", "sugar"};

/// What is to be heard, and what it was.
constexpr std::array<string_view, 5> sounds = {
    "tap, tap, tap/a branch at the window", "whoosh, whoosh/the wind at the door",
    "drip, drip, drip/the rain on the roof", "tick, tick, tick/the old clock in the hall",
    "scratch, scratch/a cat on the roof"};
constexpr std::array<string_view, 3> lights = {"small lamp", "candle", "little light"};

/// What grew, and what came of it.
constexpr std::array<string_view, 3> plants = {"a tall sunflower/the birds ate its seeds",
                                               "a big pumpkin/they made soup of it",
                                               "a strawberry plant/they ate the sweet berries"};

constexpr std::array<string_view, 3> small_animals = {"bird", "squirrel", "mouse"};
/// What is wrong with the animal, and what is done.
constexpr std::array<string_view, 4> troubles = {"its leg was caught in a string/slowly pulled the string away",
                                                 "it had fallen out of its nest/put it back into the nest",
                                                 "it was stuck under a branch/lifted the branch away",
                                                 "it was hungry and weak/gave it some bread and water"};
constexpr std::array<string_view, 4> gifts = {"nut", "berry", "flower", "green leaf"};

constexpr std::array<string_view, 3> games = {"ball", "tag", "catch"};
/// What is learned, and that it was done.
constexpr std::array<string_view, 4> skills = {
    "ride a bike/rode a bike all the way down the road", "swim/swam across the river",
    "climb the big tree/climbed to the top of the big tree", "fly a kite/made the kite fly over the trees"};

/// For when a runner rests too long: where, and how it ends.
constexpr std::array<string_view, 3> rests = {"sleep under a tree/woke up", "eat some berries/looked up",
                                              "pick some flowers/looked up"};

/// What can be done inside while it rains.
constexpr std::array<string_view, 3> pastimes = {"read a book", "bake some bread", "sing a song"};

}  // namespace toy::story_words
