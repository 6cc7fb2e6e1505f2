#!/bin/sh
# The model knows its sentences by heart.
. "$(dirname "$0")/expect.sh"
expect_falling_loss 0.01
expect_line '^the cat -> the cat sat on the mat\.$'
expect_line '^a dog -> a dog ran into the fog\.$'
expect_line '^my -> my fish made a wish\.$'
expect_line '^one b -> one bee drank hot tea\.$'
