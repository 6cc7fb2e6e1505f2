// What happens in the stories. {slot} is a word of story_words.h, [one|or|the other] a choice, also between nothing and
// something. Sentences get their capitals, and "a" becomes "an", when the story is put together; only after a closing
// quote the text must say {He} itself.
//
// A, he, him, his, child, kind, trait belong to the hero; B, he2, him2, his2, child2, kind2, trait2 to the friend;
// adult, he3, him3 to the one at home.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "toy/train/story_words.h"

namespace toy {

/// Slots and the table their values are drawn from. No story draws the same entry twice.
struct StoryDraw {
  std::string_view slots;  // "sound/cause" for entries with as many slashes
  std::span<const std::string_view> from;
};

struct StoryPlot {
  std::string_view name;
  std::array<StoryDraw, 6> draws;  // beside the hero's; the rest of the array has no slots
  std::string_view text;
};

constexpr std::array<StoryDraw, 3> hero_draws = {
    {{"A/he/him/his/child", story_words::names}, {"kind", story_words::kinds}, {"trait", story_words::traits}}};

/// The first sentence of every story.
constexpr std::string_view story_opening =
    "[once upon a time, there was a {trait} {kind} named {A}.|{A} was a {trait} {kind}.|there once was a {trait} "
    "{kind} named {A}.|in a [small|white|yellow] house [by the sea|near the forest|at the end of the road|on a hill], "
    "there lived a {trait} {kind} named {A}.] ";

namespace story_plots {

using namespace story_words;

constexpr StoryDraw companion{"B/he2/him2/his2/child2", names};
constexpr StoryDraw companion_kind{"kind2", friend_kinds};
constexpr StoryDraw companion_trait{"trait2", traits};
constexpr StoryDraw adult{"adult/he3/him3", adults};

constexpr std::array<StoryPlot, 12> all = {{
    {"lost and found",
     {{companion, {"color", colors}, {"toy", toys}, {"spot1", spots}, {"spot2", spots}, {"spot3", spots}}},
     "{he} had a {color} {toy}[| and played with it every day]. [one morning|one day], the {toy} was gone. {A} [felt "
     "very sad|began to cry]. {his} friend {B} [came to help|came to the house|heard about it]. \"do not [cry|be "
     "sad],\" said {B}. \"[we will look for it together|I will help you find it]!\" They looked {spot1}, but it was "
     "not there. [then|next] they looked {spot2}, but [it was not there|they only found an old shoe]. [at "
     "last|suddenly], {B} saw something {color} {spot3}. it was the {toy}! {A} had left it there [the day "
     "before|after dinner|when it was time for bed]. {A} [hugged {B}|jumped with joy|smiled]. \"thank you, {B}! you "
     "are [a good friend|so kind].\" [From that day on, {A} always put the {toy} back in its place.|After that, {A} "
     "took good care of the {toy}.|They played with the {toy} until it was time for dinner.|It is good to have a "
     "friend who helps you look.]"},
    {"sharing",
     {{companion, companion_kind, companion_trait, {"place", places}, {"food", foods}, {"food2", foods}}},
     "[one day|one morning], {he} [went to|walked to] {place} with a [big|sweet|fresh] {food}. {he} sat down [under "
     "a tree|in the grass] and wanted to eat. then {he} saw a {trait2} {kind2} named {B}. {B} [looked sad|was very "
     "quiet]. \"[what is wrong|why are you sad]?\" asked {A}. \"I am hungry, and I [forgot my lunch|lost my "
     "lunch|have nothing to eat],\" said {B}. {A} [looked at the {food}|thought for a moment]. {he} was hungry too, "
     "but {he} [wanted to be kind|wanted to help|did not want {B} to be sad]. so {he} [broke|cut] the {food} in two "
     "and gave {B} [the bigger half|one half]. they ate together, and [it tasted very good|they both smiled|they "
     "laughed a lot]. [the next day|a day later], {B} [came back with|brought] a {food2}. \"[now it is my turn to "
     "share|this is for both of us],\" {he2} said. [From then on, they were best friends.|{A} and {B} became good "
     "friends.|{A} learned that sharing makes two hearts happy.|Sharing made them both happy.]"},
    {"rain",
     {{adult, {"place", places}, {"color", colors}, {"toy", toys_for_outside}, {"pastime", pastimes}}},
     "{he} wanted to go to {place} with {his} {adult} and play with {his} {color} {toy}. {he} [had waited all "
     "week|was very excited]. but [dark clouds came|the sky turned dark], and it began to rain. {A} [looked out of "
     "the window|sat by the window] and felt [sad|angry|very sad]. \"now we can not go,\" {he} said. \"[we can "
     "wait|the rain will stop],\" said {his} {adult}. \"let us {pastime} [first|until then]!\" So they did, and they "
     "had [a lot of|so much] fun. [after a while|later], the rain stopped and the sun came out. [there was a rainbow "
     "over the house|a rainbow was in the sky]! {A} took the {color} {toy}, and they [ran|went] to {place}. there "
     "they jumped [in|over] all the puddles and played [until the sun went down|all afternoon]. \"[rain can be fun "
     "too|this was the best day],\" said {A}[| with a smile]."},
    {"a broken toy",
     {{companion, adult, {"color", colors}, {"toy", toys_that_break}, {"glue", things_that_mend}}},
     "{he} had a {color} {toy} from {his} {adult}. it was {his} favorite toy. [one day|one afternoon], {he} ran [too "
     "fast|down the stairs] with it and fell. the {toy} hit [the floor|a stone] and broke. {A} [cried|was very "
     "sad|felt bad]. \"I should have been careful,\" {he} said. {his} friend {B} [came over|heard it]. \"[let me "
     "see|show it to me],\" said {B}. \"I think we can [fix|mend] it.\" {B} [got|brought|found] some {glue} and "
     "worked [slowly|for a long time]. {A} held the {toy} still. [soon|at last], it was [as good as new|whole "
     "again]. \"it works!\" said {A}[| and hugged {B}]. [{He} let {B} play with the {toy} first.|Then they played "
     "with the {toy} together.|Now {he} liked the {toy} even more.] [after that, {he} was more careful.|{A} never "
     "ran with the {toy} again.|a good friend can mend more than a toy.]"},
    {"afraid of the dark",
     {{adult, {"sound/cause", sounds}, {"light", lights}}},
     "{he} was afraid of the dark. every night, {he} [asked for a light|did not want to go to bed]. one night, {he} "
     "heard a [soft|loud] sound. {sound}! \"[is it a monster|who is there]?\" {he} asked. {his} heart beat "
     "[fast|very fast]. {he} called {his} {adult}. {his} {adult} came with a {light} and [sat down on the bed|held "
     "{him} close]. \"let us [look together|find out what it is],\" {he3} said. they stood still and heard it again. "
     "{sound}! then they saw what it was. it was only {cause}! {A} [laughed|had to laugh]. \"[that is not a "
     "monster|now I am not afraid],\" {he} said. {his} {adult} said good night and [put out the light|took the "
     "{light} away]. {A} lay down and slept [all night|until morning]. [things in the dark are the same as in the "
     "light.|when you know what it is, you are not afraid.|from then on, {A} liked the night.]"},
    {"a seed",
     {{adult, {"bed", beds}, {"plant/result", plants}}},
     "[one day|in spring], {he} found a [small|tiny|brown] seed [in the garden|on the road|in the grass]. {he} "
     "showed it to {his} {adult}. \"put it in the ground and give it water every day,\" said {his} {adult}. \"then "
     "[you must wait|wait and see].\" {A} [dug|made] a small hole {bed} and put the seed into it. every "
     "[day|morning], {he} gave it water. [for many days, nothing happened|but nothing came up for a long time]. {A} "
     "[was sad|wanted to give up|felt bad]. \"[will it never grow|why does it not grow]?\" {he} asked. \"[be "
     "patient|seeds need time],\" said {his} {adult}. [then one morning|at last], there was a [little|tiny] green "
     "leaf {bed}! {A} jumped with joy. the plant grew [and grew|taller every week]. [in summer|when summer came], it "
     "was {plant}, and {result}. \"[good things take time|I am glad that I waited],\" said {A}[| and smiled]."},
    {"a race",
     {{companion, {"goal", goals}, {"rest/end", rests}}},
     "{he} [was very fast|liked to run]. {his} friend {B} was [slow|not so fast], but {he2} never gave up. [one "
     "day|one sunny day], they had a race to {goal}. \"[I will win|you can not catch me]!\" said {A}. \"one, two, "
     "three, go!\" They ran [down the road|over the field|through the grass]. [soon {A} was far ahead. {he} stopped "
     "to {rest}. \"{B} is slow, so I have time,\" {he} [thought|said]. but {B} ran on and on. when {A} {end}, {B} "
     "was already at {goal}. {A} could not believe it. \"you won!\" {he} said. \"next time I will not stop.\" {B} "
     "[laughed|smiled], and they walked home together. [slow and steady wins the race.|it is not enough to be "
     "fast.]|{A} was ahead, but then {he} fell over a [stone|branch] and hurt {his} leg. {B} could run on and win "
     "now. but {he2} stopped. \"are you okay?\" {he2} asked. {B} helped {him} to stand up. \"[go on and win|you can "
     "still win],\" said {A}. \"no, we will go together,\" said {B}. so they walked to {goal} side by side, and both "
     "of them won. [a friend is better than a prize.|{A} never forgot that day.]]"},
    {"a small animal",
     {{{"place", places}, {"animal", small_animals}, {"trouble/help", troubles}, {"gift", gifts}}},
     "[one day|one cold day], {he} [walked through|went to] {place}. {he} heard a [small|tiny|sad] sound [behind a "
     "bush|in the tall grass]. there was a baby {animal}, and {trouble}. \"[poor thing|poor little {animal}],\" said "
     "{A}. \"do not be afraid. I will help you.\" {He} {help}. the {animal} looked at {him} and made a [happy|soft] "
     "sound. [soon|after a while], it [felt better|was strong again] and went home. {A} was glad. [the next day|a "
     "few days later], {A} came back to {place}. there was the {animal}! it [brought|gave] {him} a {gift}. \"is this "
     "for me?\" said {A}. \"Thank you!\" [From then on, they met every day.|Now {he} had a new friend.|They played "
     "together all day.] [a kind heart is never forgotten.|even a small friend can be a good friend.]"},
    {"baking",
     {{companion, adult, {"filling", fillings}, {"item", ingredients}}},
     "it was the birthday of {his} {adult}, and {he} wanted to bake a [cake|big cake] with {filling}. {he} "
     "[got|took] a [big|blue] bowl and put flour and {filling} into it. but {he} could not find any {item}. "
     "\"without {item} I can not bake,\" {he} said. so {he} [ran|went] to {his} friend {B}, who lived [next "
     "door|near the river]. \"[do you have|can you give me] some {item}?\" asked {A}. \"[yes, I have a lot|yes, here "
     "you are],\" said {B}. \"[may I help you|can we bake together]?\" They mixed and baked [all morning|for an "
     "hour], and the [kitchen|house] smelled [good|sweet]. when {his} {adult} came home, {he3} saw the cake and "
     "[smiled|laughed]. \"[this is the best cake|what a sweet cake]!\" {he3} said. {A} gave a piece to {B} too. "
     "[they all ate the cake together|everyone had a big piece]. [a cake is best when you share it.|it was the best "
     "birthday.|work is fun with a friend.]"},
    {"a new friend",
     {{companion, companion_kind, {"place", places}, {"game", games}}},
     "[one day|in summer], a new {kind2} came to live next door. {his2} name was {B}. {B} [was shy|did not know "
     "anyone], so {he2} [sat alone|stood by the fence] and watched the others play {game} in {place}. {A} saw that "
     "{B} was alone. {he} knew how [it feels to be alone|sad that is]. so {he} [went over|walked over] and said, "
     "\"hello, I am {A}. [do you want to|would you like to] play {game} with us?\" {B} [smiled|looked up]. \"I do "
     "not know how,\" {he2} said. \"[I will show you|it is easy],\" said {A}. {B} [learned fast|was very good at "
     "it], and they [laughed a lot|had so much fun]. when it got dark, {B} asked, \"[can we play again tomorrow|will "
     "you be my friend]?\" \"[yes|of course]!\" said {A}. [From then on, {B} was not alone any more.|The next day, "
     "they met in {place} again.|It only takes one hello to make a friend.]"},
    {"learning",
     {{companion, {"skill/deed", skills}}},
     "{he} wanted to learn to {skill}. {his} friend {B} could do it [well|already]. \"will you teach me?\" asked "
     "{A}. \"[yes|of course],\" said {B}. the first time, it did not work, and {A} [was angry|wanted to stop|felt "
     "very bad]. \"I can not do it,\" {he} said. \"[not yet|you can learn it],\" said {B}. \"[go slowly|wait a "
     "little] and try again.\" {A} tried again [the next day|in the afternoon], and it was [a little|much] better. "
     "{he} tried [every day|again and again]. [sometimes {he} wanted to cry|it was hard], but {B} always [helped "
     "{him}|said something kind]. [then one day|after a week], {he} {deed}! \"I did it!\" {A} [shouted|said with a "
     "big smile]. {B} was glad and [hugged {him}|laughed]. \"[I knew you could do it|you never gave up],\" {he2} "
     "said. [If you try again and again, you can learn it.|{A} was very proud.|That day, {A} was very happy.]"},
    {"taking turns",
     {{companion, {"place", places}, {"color", colors}, {"toy", toys}}},
     "[one day|one sunny day], {he} went to {place} with {his} friend {B}. there they found a {color} {toy}. \"[it "
     "is mine|I saw it first]!\" said {A}. \"no, it is mine!\" said {B}. they both pulled at the {toy}, and [nobody "
     "let go|they were very angry]. then the {toy} fell into [the mud|a puddle]. now it was [wet and dirty|all "
     "brown], and nobody could play with it. they [looked at each other|were quiet]. \"I am sorry,\" said {A}. \"I "
     "am sorry too,\" said {B}. they washed the {toy} together until it was {color} again. \"you can have it "
     "first,\" said {A}. \"[Then it is your turn|And after that you],\" said {B}. so they took turns all "
     "[day|afternoon]. [it was much more fun than to fight.|{A} and {B} never fought about a {toy} again.|a {toy} is "
     "more fun when you share it.]"},
}};

}  // namespace story_plots

}  // namespace toy
