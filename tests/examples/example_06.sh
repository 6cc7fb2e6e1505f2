#!/bin/sh
# Two runs are written, read again and compared.
. "$(dirname "$0")/expect.sh"
expect_falling_loss 1.2
expect_line '^bold: completed after 100 steps, 256000 tokens/s$'
expect_line '^config\.lr: 0\.003, baseline 0\.001$'
expect_line '^step  10  loss 3\.2225, baseline 3\.7145$'
expect_line '^mean training loss of steps 91 to 100: perplexity 0\.[0-9]+ times the baseline.s: ahead$'
expect_error nowhere nothing
