#!/bin/sh
# Everything that a release consists of: release.sh DIR. CI runs it with BUILDER_ID, BUILD_URL, SOURCE_URL and SOURCE_COMMIT
# set, and signs what it leaves: docs/how-to/release.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd) out=$1
sh "$here/release-build.sh" "$out"
python3 "$here/sbom.py" > "$out/pdm.cdx.json"
"$out/pdm" crds > "$out/crds.yaml"
"$out/pdm" openapi > "$out/openapi.json"
cd "$out"
sha256sum pdm pdm.cdx.json crds.yaml openapi.json > SHA256SUMS
python3 "$here/provenance.py" pdm pdm.cdx.json crds.yaml openapi.json > provenance.json
