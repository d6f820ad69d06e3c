"""certbot's plugin signs every call and writes whole lists of records back, as it read them."""
import sys

from certbot.errors import PluginError
from certbot_dns_dynadot.client import DynadotClient


def client(secret="dynadot-secret-Z9y8X7w6"):
    made = DynadotClient("dynadot-key-A1b2C3d4E5f6", secret)
    made.base_url = sys.argv[1]
    return made


api = client()
assert api.get_domains_list() == {"acme.example"}
before = api.get_dns("acme.example")
mains, subs = list(before["dns_main_list"]), list(before["dns_sub_list"])
assert {r["record_type"] for r in mains} == {"a", "mx", "txt"} and {"sub_host", "record_type"} <= set(subs[0])

api.add_txt_record("_acme-challenge.sub.acme.example", "a-token")
after = client().get_dns("acme.example")
assert after["dns_main_list"] == mains
assert [r for r in after["dns_sub_list"] if r not in subs] == [
    {"record_type": "txt", "record_value1": "a-token", "sub_host": "_acme-challenge.sub"}
]
api.remove_txt_record("_acme-challenge.sub.acme.example", "a-token")
assert client().get_dns("acme.example")["dns_sub_list"] == subs

# What the plugin never calls, by its own signer.
for host in ("ns1.sov.example", "ns2.sov.example"):
    api._api_request("post", "nameservers", host, "add_external", {})
api._api_request("put", "domains", "acme.example", "nameservers", {"nameserver_list": ["ns1.sov.example", "ns2.sov.example"]})
try:
    api._api_request("put", "domains", "acme.example", "nameservers", {"nameserver_list": ["ns9.sov.example"]})
    raise SystemExit("a nameserver that nobody entered was accepted")
except PluginError as error:
    assert "added to your account first" in str(error), error
try:
    client("dynadot-secret-mistyped").get_domains_list()
    raise SystemExit("a wrong signature was accepted")
except PluginError as error:
    assert "X-Signature invalid" in str(error), error
