#!/bin/sh
# Every test: the quick ones first, then the stories against real processes. With cargo-nextest when it is there.
set -eu
cd "$(dirname "$0")/.."
slow="pdm-system-tests"
# What depends most on PowerDNS: full runs have it once more on each later version.
again="failover lifecycle drift key_rolls two_instances powerdns_faults powerdns_restored replicas"
# The daemon with what its tests need, so that nothing is built twice.
cargo build --locked --workspace --all-targets
# What drives the browser; its versions stand in the lock file.
npm ci --prefix tests/browser --loglevel=error --no-audit --no-fund
if cargo nextest --version >/dev/null 2>&1; then
    profile=default; [ -z "${PDM_TEST_FULL:-}" ] || profile=full
    # The same packages are selected each time: other ones would be built with other features, once more.
    cargo nextest run --locked --profile $profile --workspace -E "not package($slow)"
    cargo test --locked --workspace --doc
    cargo nextest run --locked --profile $profile --workspace -E "package($slow)"
    [ -n "${PDM_TEST_FULL:-}" ] || exit 0
    for release in trixie forky; do
        PDM_TEST_POWERDNS=$release cargo nextest run --locked --profile $profile --workspace \
            -E "package(pdm-powerdns) + package($slow) & (none()$(printf ' + binary(%s)' $again))"
    done
    exit 0
fi
cargo test --locked --workspace --exclude $slow
# Most of a story is waiting, so more of them than cores run side by side.
cargo test --locked -p $slow --no-fail-fast -- --test-threads=4
[ -n "${PDM_TEST_FULL:-}" ] || exit 0
for release in trixie forky; do
    PDM_TEST_POWERDNS=$release cargo test --locked -p pdm-powerdns
    # shellcheck disable=SC2046
    PDM_TEST_POWERDNS=$release cargo test --locked -p $slow $(printf ' --test %s' $again) -- --test-threads=4
done
