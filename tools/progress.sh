#!/usr/bin/env bash
# Reads a build's output and prints it with a name before each line. Package names, which `go build -v` prints by the
# thousand, are counted instead; a silent build gets a line every 20 s, so that nobody takes it for dead.
#   some-build 2>&1 | bash tools/progress.sh NAME
set -u
name=$1
start=$SECONDS
packages=0
say() { printf '[%s] %s\n' "$name" "$*"; }
while :; do
  if IFS= read -r -t 20 line; then
    if [[ $line =~ ^[a-z0-9][A-Za-z0-9_.~/-]*$ ]]; then
      packages=$((packages + 1))
      if ((packages % 100 == 0)); then say "$packages packages compiled, $((SECONDS - start)) s"; fi
    else
      say "$line"
    fi
  elif (($? > 128)); then
    say "still at it, $((SECONDS - start)) s"
  else
    break
  fi
done
say "done, $((SECONDS - start)) s"
