#!/usr/bin/env bash
# Runs every fuzz target of the repository for a while: fuzz.sh TAGS LINK SECONDS
set -euo pipefail
tags=$1 link=$2 seconds=$3 found=0
while IFS=: read -r file name; do
	found=$((found + 1))
	echo "== $(dirname "$file") $name"
	go test -tags "$tags" -ldflags "$link" -run '^$' -fuzz "^$name\$" -fuzztime "${seconds}s" -fuzzminimizetime 1s "./$(dirname "$file")"
done < <(git ls-files '*_test.go' | xargs grep -oE '^func Fuzz[A-Za-z0-9_]+' | sed 's/func //')
[ "$found" -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }
