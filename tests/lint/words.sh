#!/bin/sh
# The forbidden words are put together here, so that the checker can look at this file too.
. "$(dirname "$0")/lib.sh"

echo 'A plain text about files in the folder data/work and an open issue.' | put docs/plain.md
good words

for word in 'iss%s 3' 'a sess%s of work' 'see /wo%s/main' 'in /o%s/tool' 'https://py%s.org/simple'; do
  case "$word" in iss*) rest=ue ;; *sess*) rest=ion ;; *wo*) rest=rk ;; */o*) rest=pt ;; *) rest=pi ;; esac
  printf "$word\n" "$rest" | put docs/bad.md
  bad words "docs/bad.md:1:"
done

{ printf '# path text\n'; printf 'docs/bad.md %s\n' simple; } | put tools/lint/words.allow
good words
rm "$tree/docs/bad.md"

mark=TO
mark=${mark}DO
echo "// $mark: later" | put toy/nn/block.h
bad words "no line of docs/roadmap.md"
echo "// $mark(moe): later" | put toy/nn/block.h
bad words "no line of docs/roadmap.md"
echo '- moe: mixture of experts' | put docs/roadmap.md
good words
