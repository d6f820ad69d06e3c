#!/usr/bin/env python3
"""What the binary is made of, as CycloneDX 1.5 JSON: sbom.py > pdm.cdx.json

From `cargo metadata` and Cargo.lock: every crate that is compiled into `pdm`, with version, licence, checksum and who needs
whom; no crate of tests. Nothing of the machine or the time is in it, so that the same source gives the same text."""
import json
import pathlib
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = "x86_64-unknown-linux-gnu"


def main():
    metadata = json.loads(subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET],
        cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    packages = {p["id"]: p for p in metadata["packages"]}
    nodes = {n["id"]: n for n in metadata["resolve"]["nodes"]}
    checksums = {(p["name"], p["version"]): p.get("checksum")
                 for p in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    top = next(i for i, p in packages.items() if p["name"] == "pool-domain-manager")

    # Kind None is an ordinary dependency; "build" and "dev" are not in the binary.
    needs, todo = {}, [top]
    while todo:
        one = todo.pop()
        if one in needs:
            continue
        needs[one] = sorted(d["pkg"] for d in nodes[one]["deps"] if any(k["kind"] is None for k in d["dep_kinds"]))
        todo.extend(needs[one])

    def url(package):
        return f"pkg:cargo/{package['name']}@{package['version']}"

    def component(package, kind):
        out = {"type": kind, "bom-ref": url(package), "name": package["name"], "version": package["version"]}
        # A crate of this workspace is in no registry.
        if package["source"]:
            out["purl"] = url(package)
        if package["license"]:
            out["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        checksum = checksums.get((package["name"], package["version"]))
        if checksum:
            out["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        return out

    parts = sorted((packages[i] for i in needs if i != top), key=url)
    document = {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": component(packages[top], "application")},
        "components": [component(p, "library") for p in parts],
        "dependencies": [{"ref": url(packages[i]), "dependsOn": sorted({url(packages[d]) for d in needs[i]})}
                         for i in sorted(needs, key=lambda i: url(packages[i]))],
    }
    json.dump(document, sys.stdout, indent=1, sort_keys=True)
    print()


main()
