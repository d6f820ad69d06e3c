"""GoDaddyPy reads and writes; it lists records by pages that are counted from one."""
import sys

from godaddypy import Account, Client
from godaddypy.client import BadResponse

client = Client(Account("acme-key-0123", "acme-secret-0123"), api_base_url=sys.argv[1] + "/")
name = "acme.example"

assert client.get_domains() == [name], client.get_domains()
info = client.get_domain_info(name)
assert info["status"] == "ACTIVE" and len(info["nameServers"]) == 2, info

before = client.get_records(name)
assert len(before) == 6, before
client.replace_records(name, [{"data": "ns1.sov.example", "ttl": 600}], record_type="NS", name="sub")
assert [record["data"] for record in client.get_records(name, record_type="NS", name="sub")] == ["ns1.sov.example"]
assert len(client.get_records(name)) == 7
try:
    client.delete_records(name, "sub", record_type="NS")
    raise SystemExit("NS records were removed")
except BadResponse:
    pass

client.update_domain(name, nameServers=["ns1.sov.example", "ns2.sov.example"])
for _ in range(5):
    info = client.get_domain_info(name)
assert info["nameServers"] == ["ns1.sov.example", "ns2.sov.example"], info
try:
    client.get_records(name)
    raise SystemExit("records of a zone that moved away were shown")
except BadResponse:
    pass
