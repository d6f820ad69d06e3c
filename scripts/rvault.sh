#!/bin/sh
# Full runs try another server of OpenBao's API. It is built once, beside the build.
set -eu
[ -n "${PDM_TEST_FULL:-}" ] || exit 0
dir=${CARGO_TARGET_DIR:-target}/rvault
[ -x "$dir/bin/rvault" ] || cargo install --quiet --locked --debug --root "$dir" rusty_vault@0.2.1
