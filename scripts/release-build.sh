#!/bin/sh
# The released binary: release-build.sh DIR. The same source gives the same octets wherever it lies: no path of the machine,
# no time and no build id gets in. Compare with scripts/reproducible.sh.
set -eu
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
here=$(pwd -P) home=${CARGO_HOME:-$HOME/.cargo}
target=${CARGO_TARGET_DIR:-$here/target}
profile=${PDM_PROFILE:-release}
CARGO_INCREMENTAL=0 SOURCE_DATE_EPOCH=0
# C too: SQLite, ring and the allocator are compiled here. The longest path is named last: it wins.
maps=
for pair in "$home=/cargo" "$here=/src" "$target=/target"; do
    RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$pair"
    maps="$maps -ffile-prefix-map=$pair"
done
RUSTFLAGS="$RUSTFLAGS -C link-arg=-Wl,--build-id=none" CFLAGS="${CFLAGS:-}$maps"
export CARGO_INCREMENTAL SOURCE_DATE_EPOCH RUSTFLAGS CFLAGS
cargo build --locked --profile "$profile" --bin pdm
[ "$profile" != dev ] || profile=debug
# Names of functions stay, for backtraces.
strip --strip-debug --enable-deterministic-archives -o "$out/pdm" "$target/$profile/pdm"
sha256sum "$out/pdm"
