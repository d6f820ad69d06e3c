#!/bin/sh
# Build the release twice, in two places, and compare. PDM_PROFILE=dev is quicker and shows the same about paths.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for place in a a-longer/path/to/b; do
    mkdir -p "$work/$place/src"
    git ls-files -z | xargs -0 cp --parents -t "$work/$place/src"
    CARGO_TARGET_DIR="$work/$place/target" sh "$work/$place/src/scripts/release-build.sh" "$work/$place/out"
    rm -rf "$work/$place/target"
done
if cmp "$work/a/out/pdm" "$work/a-longer/path/to/b/out/pdm"; then
    echo "both builds are the same"
else
    echo "the builds differ" >&2
    exit 1
fi
