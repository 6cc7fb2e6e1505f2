#!/bin/sh
# The loss falls and the story begins as asked, the same in every run.
. "$(dirname "$0")/expect.sh"
expect_falling_loss 2.5
expect_line '^validation loss [0-2]\.'
expect_line '^Once upon a time'
expect_error /nonexistent/model.gguf
