"""octoDNS writes NS below the zone, then finds nothing left to do and takes them away again."""
import sys

from octodns.record import Record
from octodns.zone import Zone
from octodns_gandi import GandiProvider


def provider(token="acme-token-0123"):
    made = GandiProvider("sim", token=token, per_page=2)
    made._client.endpoint = sys.argv[1] + "/v5"
    return made


def current():
    zone = Zone("acme.example.", [])
    assert provider().populate(zone)
    return zone


def bring(add, remove=()):
    desired = current()
    for record in [r for r in desired.records if (r.name, r._type) in remove]:
        desired.remove_record(record)
    for name, kind, data in add:
        desired.add_record(Record.new(desired, name, {"type": kind, "ttl": 3600, **data}), replace=True)
    there = provider()
    plan = there.plan(desired)
    return 0 if plan is None else there.apply(plan)


before = {(r.name, r._type) for r in current().records}
assert len(before) == 4 and ("", "MX") in before, before
ns = ("sub", "NS", {"values": ["ns1.sov.example.", "ns2.sov.example."]})
assert bring([ns]) == 1
assert {(r.name, r._type) for r in current().records} == before | {("sub", "NS")}
assert bring([ns]) == 0
assert bring([], remove=[("sub", "NS")]) == 1
assert {(r.name, r._type) for r in current().records} == before
bring([ns])

try:
    provider("wrong-token-0123").plan(current())
    raise SystemExit("an unknown token was accepted")
except Exception as error:
    assert "could not verify" in str(error), error
