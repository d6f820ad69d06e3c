"""octoDNS writes NS and DS below the zone, then finds nothing left to do and takes them away again."""
import sys

from octodns.record import Record
from octodns.zone import Zone
from octodns_cloudflare import CloudflareProvider


def provider(token="user-token-0f9a8b7c6d5e4f30"):
    return CloudflareProvider("sim", token=token, api_url=sys.argv[1] + "/client/v4", pagerules=False,
                              records_per_page=2, retry_count=0)


def current():
    zone = Zone("acme.example.", [])
    assert provider().populate(zone)
    return zone


def bring(records, remove=()):
    desired = current()
    for record in [r for r in desired.records if (r.name, r._type) in remove]:
        desired.remove_record(record)
    for name, kind, data in records:
        desired.add_record(Record.new(desired, name, {"type": kind, "ttl": 3600, **data}), replace=True)
    there = provider()
    plan = there.plan(desired)
    if plan is None:
        return 0
    return there.apply(plan)


before = {(r.name, r._type) for r in current().records}
assert ("", "MX") in before and ("neighbour", "NS") in before, before
ns = ("sub", "NS", {"values": ["ns1.sov.example.", "ns2.sov.example."]})
digest = "b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17"
ds = ("sub", "DS", {"values": [{"key_tag": 55648, "algorithm": 13, "digest_type": 2, "digest": digest}]})
assert bring([ns, ds]) == 2
assert {(r.name, r._type) for r in current().records} == before | {("sub", "NS"), ("sub", "DS")}
assert bring([ns, ds]) == 0
bring([], remove=[("sub", "DS")])
bring([], remove=[("sub", "NS")])
assert {(r.name, r._type) for r in current().records} == before
bring([ns, ds])

assert provider("other-token-1234567890abcdef").zones.keys() == {"other.example."}
try:
    provider("never-issued-token-000").zones
    raise SystemExit("an unknown token was accepted")
except Exception as error:
    assert "Invalid access token" in str(error), error
