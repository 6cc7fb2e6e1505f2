#!/bin/sh
# The network learns both moons and draws both sides, the boundary between them.
. "$(dirname "$0")/expect.sh"
expect_falling_loss 0.1
expect_line '^accuracy 100 % of 50 points$'
expect_line '^#+.*\.+$'
expect_line '^\.[.x]+$'
expect_line 'O'
expect_line 'x'
