#!/usr/bin/env python3
"""How a file was built, as an in-toto statement with SLSA provenance 1.0: provenance.py FILE... > provenance.json

The builder and the run are told by the environment, as CI knows them: BUILDER_ID, BUILD_URL, SOURCE_URL, SOURCE_COMMIT. It is
worth what its signature is worth: docs/how-to/release.md."""
import hashlib
import json
import os
import pathlib
import sys


def digest(path):
    return {"sha256": hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()}


def main(files):
    missing = [n for n in ("BUILDER_ID", "BUILD_URL", "SOURCE_URL", "SOURCE_COMMIT") if not os.environ.get(n)]
    if not files or missing:
        sys.exit(f"{__doc__}\nnot set: {' '.join(missing)}" if missing else __doc__)
    env = os.environ
    root = pathlib.Path(__file__).resolve().parent.parent
    source = {"uri": f"git+{env['SOURCE_URL']}@{env['SOURCE_COMMIT']}", "digest": {"gitCommit": env["SOURCE_COMMIT"]}}
    locked = {"uri": f"git+{env['SOURCE_URL']}@{env['SOURCE_COMMIT']}#Cargo.lock", "digest": digest(root / "Cargo.lock")}
    json.dump({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": pathlib.Path(f).name, "digest": digest(f)} for f in files],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{env['SOURCE_URL']}/blob/main/scripts/release.sh",
                "externalParameters": {"source": source["uri"]},
                "resolvedDependencies": [source, locked],
            },
            "runDetails": {"builder": {"id": env["BUILDER_ID"]}, "metadata": {"invocationId": env["BUILD_URL"]}},
        },
    }, sys.stdout, indent=1)
    print()


main(sys.argv[1:])
