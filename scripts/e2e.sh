#!/usr/bin/env bash
# Walks through the pages in Chromium: first against a mock, which can be
# brought into every state, then against the demo with its six recognised
# calls and a wallet that does not suffice for the longest of them.
set -euo pipefail
cd "$(dirname "$0")/.."
data=build/e2e password=e2e-$RANDOM-$RANDOM-$RANDOM
[ web/e2e/node_modules/.package-lock.json -nt web/e2e/package-lock.json ] || (cd web/e2e && npm ci --no-audit --no-fund --loglevel=error)
npm --prefix web/e2e test

mkdir -p "$data"
bin/flysense-demo --data "$data" --fc 12 --password "$password" >build/e2e.log 2>&1 &
demo=$!
trap 'kill "$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true' EXIT
until grep -q '^Откройте ' build/e2e.log; do
	kill -0 "$demo" 2>/dev/null || { cat build/e2e.log; exit 1; }
	sleep 1
done
FLYSENSE_URL=$(sed -n 's|^Откройте \(http://[^/]*\)/.*|\1|p' build/e2e.log) \
	FLYSENSE_LOGIN=demo FLYSENSE_PASSWORD=$password FLYSENSE_PACK=$(cat "$data/next.fspack") npm --prefix web/e2e test
