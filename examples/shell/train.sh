#!/bin/sh
# How well gzip does on blocks of lines: each level costs something, and so does each block.
# Parameters are in the environment (docs/command-trainer.md); what is printed as a line of JSON is a report.
set -eu
level=$BETATUNE_PARAM_LEVEL
block=$BETATUNE_PARAM_BLOCK

cd "$BETATUNE_SCRATCH_DIR"
seq 1 20000 | split -l "$block" -a 4 - part.
blocks=$(ls | grep -c '^part\.')
bytes=$(for part in part.*; do gzip -c -"$level" "$part"; done | wc -c)
echo "level $level, $blocks blocks: $bytes bytes"
echo "{\"bytes\": $bytes, \"cost\": $((bytes + 500 * level + 20 * blocks + block / 10))}"
