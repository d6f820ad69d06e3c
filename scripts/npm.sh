#!/bin/sh
# Counterparts for tests that only npm has, installed beside the build.
set -eu
cd "$(dirname "$0")/.."
to=${CARGO_TARGET_DIR:-target}/npm
mkdir -p "$to"
cmp -s tests/npm/package-lock.json "$to/installed" && exit 0
cp tests/npm/package.json tests/npm/package-lock.json "$to/"
npm ci --prefix "$to" --no-audit --no-fund --loglevel=error
cp tests/npm/package-lock.json "$to/installed"
