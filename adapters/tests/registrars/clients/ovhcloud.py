"""The vendor's own client signs with the simulator's clock, which is years off, and walks through both ways."""
import sys

import ovh

ovh.client.ENDPOINTS["sim"] = sys.argv[1] + "/1.0"
keys = ("app-key-0123456789", "app-secret-9f8e7d6c5b4a3210", "consumer-key-00112233445566")


def client(application, secret, consumer):
    return ovh.Client(
        endpoint="sim", application_key=application, application_secret=secret, consumer_key=consumer
    )


def refused(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind:
        return
    raise SystemExit(f"{args} was not refused as {kind.__name__}")


api = client(*keys)
assert api.get("/auth/currentCredential")["status"] == "validated"
assert api.get("/domain") == ["acme.example"]
refused(ovh.exceptions.BadParametersError, client(keys[0], "app-secret-mistyped-000", keys[2]).get, "/domain")
refused(ovh.exceptions.InvalidCredential, client(keys[0], keys[1], "consumer-key-nobody-000").get, "/domain")
refused(ovh.exceptions.InvalidKey, client("app-key-nobody-000", keys[1], keys[2]).get, "/domain")
reader = client(keys[0], keys[1], "consumer-key-reader-5566")
refused(ovh.exceptions.NotGrantedCall, reader.post, "/domain/zone/acme.example/refresh")
refused(ovh.exceptions.ResourceNotFoundError, api.get, "/domain/zone/sub.acme.example")

# A name in the zone.
zone = "/domain/zone/acme.example"
before = api.get(f"{zone}/record")
for host in ("ns1.sov.example.", "ns2.sov.example."):
    api.post(f"{zone}/record", fieldType="NS", subDomain="sub", target=host, ttl=3600)
new = api.get(f"{zone}/record", fieldType="NS", subDomain="sub")
assert len(new) == 2 and len(api.get(f"{zone}/record")) == len(before) + 2
assert api.get(f"{zone}/record/{new[0]}")["target"] == "ns1.sov.example."
refused(ovh.exceptions.BadParametersError, api.post, f"{zone}/record", fieldType="DS", subDomain="sub", target="1 8 2 aa")
assert api.get(f"{zone}/status")["isDeployed"] is False
assert api.post(f"{zone}/refresh") is None
assert api.get(f"{zone}/status")["isDeployed"] is True

# The domain at its registry.
domain = "/domain/acme.example"
servers = [{"host": "ns1.sov.example"}, {"host": "ns2.sov.example"}]


def finish(task):
    for _ in range(10):
        status = api.get(f"{domain}/task/{task['id']}")["status"]
        if status == "done":
            return
    raise SystemExit(f"the task ended as {status}")


refused(ovh.exceptions.BadParametersError, api.post, f"{domain}/nameServers/update", nameServers=servers)
api.put(domain, nameServerType="external")
task = api.post(f"{domain}/nameServers/update", nameServers=servers)
assert task["status"] == "todo" and task["function"] == "DomainDnsUpdate"
refused(ovh.exceptions.ResourceConflictError, api.post, f"{domain}/nameServers/update", nameServers=servers)
finish(task)
shown = [api.get(f"{domain}/nameServer/{id}") for id in api.get(f"{domain}/nameServer")]
assert [s["host"] for s in shown if not s["toDelete"]] == ["ns1.sov.example", "ns2.sov.example"]
assert any(s["toDelete"] for s in shown)

key = "A" * 86 + "=="
refused(ovh.exceptions.BadParametersError, api.post, f"{domain}/dsRecord",
        keys=[{"algorithm": 13, "flags": 257, "publicKey": key, "tag": 1}])
