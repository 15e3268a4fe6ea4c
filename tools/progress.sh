#!/usr/bin/env bash
# Reads a build's output and prints it with a name before each line; a silent build gets a line every 20 s, so that nobody
# takes it for dead. With `packages` the names that `go build -v` prints by the thousand are counted instead.
#   some-build 2>&1 | bash tools/progress.sh NAME [packages]
set -u
name=$1
count=${2:-}
start=$SECONDS
packages=0
say() { printf '[%s] %s\n' "$name" "$*"; }
while :; do
  if IFS= read -r -t 20 line; then
    if [[ $count && $line =~ ^[a-z0-9][A-Za-z0-9_.~/-]*$ ]]; then
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
