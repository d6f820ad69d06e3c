#!/bin/sh
# Counterparts for tests that only PyPI has, installed beside the build.
set -eu
cd "$(dirname "$0")/.."
to=${CARGO_TARGET_DIR:-target}/python
lists="-r tests/python/requirements.txt"
[ -z "${PDM_TEST_FULL:-}" ] || lists="$lists -r tests/python/clients.txt"
want=$(echo "$lists"; cat tests/python/*.txt)
[ "$(cat "$to/installed" 2>/dev/null || true)" != "$want" ] || exit 0
mkdir -p "$(dirname "$to")"
python3 -m venv --clear "$to"
# shellcheck disable=SC2086
"$to/bin/pip" install --quiet --disable-pip-version-check $lists -c tests/python/constraints.txt
echo "$want" > "$to/installed"
