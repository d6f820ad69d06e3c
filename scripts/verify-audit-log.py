#!/usr/bin/env python3
"""Verify an export of the audit log (`pdm log export`) or an evidence pack (`pdm evidence`) with nothing but Python's standard library.

usage: verify-audit-log.py FILE [--key HEX]

Each line is {"link": {...}} or {"checkpoint": {...}}. A link's digest is SHA-256 over netstrings (`length:octets,`) of
place, seq, time in milliseconds, actor, action, name or nothing, result, detail. Its hash is SHA-256 over the hash of
the place before (32 zero octets before the first) and the digest. A link of an extract may have no content; then its
digest is taken as it stands, and still the chain must hold. A checkpoint is an Ed25519 signature (RFC 8032) over
"pdm audit log checkpoint\\nPLACE\\nMILLISECONDS\\nHASH\\n". An evidence pack is one object: "bundle", a JSON text with such
a log in it, its SHA-256 as "digest", and an Ed25519 "signature" by "key" over "pdm evidence\\nDIGEST\\n". Exit status 0: everything holds; 1: the first place that does
not is named; 2: usage.
"""

import hashlib
import json
import sys
from datetime import datetime, timezone

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if (x * x - x2) % P:
        return None
    return P - x if (x & 1) != sign else x


def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(s, p):
    result = (0, 1, 1, 0)
    while s > 0:
        if s & 1:
            result = add(result, p)
        p = add(p, p)
        s >>= 1
    return result


def decompress(octets):
    if len(octets) != 32:
        return None
    y = int.from_bytes(octets, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def ed25519_holds(key, message, signature):
    a, r = decompress(key), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or len(signature) != 64 or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    left, right = multiply(s, BASE), add(r, multiply(h, a))
    same = lambda i: (left[i] * right[2] - right[i] * left[2]) % P == 0
    return same(0) and same(1)


def milliseconds(text):
    time = datetime.strptime(text.replace("Z", "+00:00"), "%Y-%m-%dT%H:%M:%S.%f%z" if "." in text else "%Y-%m-%dT%H:%M:%S%z")
    whole = time - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (whole.days * 86400 + whole.seconds) * 1000 + whole.microseconds // 1000


def digest(link):
    fields = [link["place"], link["seq"], milliseconds(link["at"]), link["actor"], link["action"],
              link.get("fqdn", ""), link["result"], link.get("detail", "")]
    out = hashlib.sha256()
    for field in fields:
        octets = str(field).encode()
        out.update(b"%d:%s," % (len(octets), octets))
    return out.hexdigest()


def verify(lines, key):
    place, before, hashes, signed, shown = 0, bytes(32), {}, 0, 0
    for number, line in enumerate(lines, 1):
        value = json.loads(line)
        if "link" in value:
            link = value["link"]
            if link["place"] != place + 1:
                return f"line {number}: a place is missing before {link['place']}"
            place = link["place"]
            if "actor" in link:
                shown += 1
                if digest(link) != link["digest"]:
                    return f"place {place}: the entry was changed"
            follows = hashlib.sha256(before + bytes.fromhex(link["digest"])).hexdigest()
            if follows != link["hash"]:
                return f"place {place}: it does not follow from the place before"
            before = bytes.fromhex(link["hash"])
            hashes[place] = link["hash"]
        elif "checkpoint" in value:
            point = value["checkpoint"]
            if hashes.get(point["place"]) != point["hash"]:
                return f"checkpoint {point['place']}: its hash is not that of the chain"
            if key and point["key"].lower() != key.lower():
                return f"checkpoint {point['place']}: another key signed it"
            text = f"pdm audit log checkpoint\n{point['place']}\n{milliseconds(point['at'])}\n{point['hash']}\n"
            if not ed25519_holds(bytes.fromhex(point["key"]), text.encode(), bytes.fromhex(point["signature"])):
                return f"checkpoint {point['place']}: the signature is wrong"
            signed = point["place"]
        else:
            return f"line {number}: neither a link nor a checkpoint"
    print(f"{place} places hold, {shown} of them with their content; signed up to place {signed}")
    return None


def unpack(whole, key):
    """The lines of the log in an evidence pack, or what is wrong with the pack."""
    if key and whole["key"].lower() != key.lower():
        return None, "another key signed the bundle"
    digest = hashlib.sha256(whole["bundle"].encode()).hexdigest()
    if digest != whole["digest"]:
        return None, "the bundle was changed"
    text = f"pdm evidence\n{digest}\n".encode()
    if not ed25519_holds(bytes.fromhex(whole["key"]), text, bytes.fromhex(whole["signature"])):
        return None, "the signature over the bundle is wrong"
    bundle = json.loads(whole["bundle"])
    print(f"the bundle about {bundle['fqdn']} was signed by {whole['key']}")
    lines = [json.dumps(link) for link in bundle["log"]["links"]]
    return lines + [json.dumps({"checkpoint": point}) for point in bundle["log"]["checkpoints"]], None


def main():
    arguments = sys.argv[1:]
    key = None
    if "--key" in arguments:
        at = arguments.index("--key")
        key = arguments[at + 1] if at + 1 < len(arguments) else None
        arguments = arguments[:at] + arguments[at + 2:]
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:
            text = file.read()
        try:
            whole = json.loads(text)
        except ValueError:
            whole = {}
        lines, wrong = unpack(whole, key) if "bundle" in whole else (text.splitlines(), None)
        wrong = wrong or verify(lines, key)
    except (ValueError, KeyError, TypeError) as error:
        wrong = f"this is not an export of the audit log: {error!r}"
    if wrong:
        print(wrong, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
