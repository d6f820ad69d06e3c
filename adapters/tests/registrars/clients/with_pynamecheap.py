"""PyNamecheap reads and writes; it sends its parameters in the query, and many of them in the body."""
import sys

from namecheap import Api, ApiError

api = Api("acme", "0123456789abcdef-acme", "acme", "192.0.2.53", sandbox=True, debug=False)
api.endpoint = sys.argv[1] + "/xml.response"
name = "acme.example"

assert [domain["Name"] for domain in api.domains_getList()] == [name]
before = [(h["Name"], h["Type"], h["Address"], h["TTL"]) for h in api.domains_dns_getHosts(name)]
assert len(before) == 5 and ("@", "CAA", '0 issue "ca.example"', "1799") in before, before
api.domains_dns_addHost(name, {"RecordType": "NS", "HostName": "sub", "Address": "ns1.sov.example", "TTL": "1800"})
after = [(h["Name"], h["Type"], h["Address"], h["TTL"]) for h in api.domains_dns_getHosts(name)]
assert after == before + [("sub", "NS", "ns1.sov.example.", "1800")], after
api.domains_dns_delHost(name, {"Type": "NS", "Name": "sub", "Address": "ns1.sov.example."})
assert len(api.domains_dns_getHosts(name)) == 5

api.domains_dns_setCustom(name, {"Nameservers": "ns1.sov.example,ns2.sov.example"})
try:
    api.domains_dns_getHosts(name)
    raise SystemExit("records of a domain with other nameservers were shown")
except ApiError as error:
    assert error.number == "2030288", error
api.domains_dns_setDefault(name)
assert len(api.domains_dns_getHosts(name)) == 5

api.ApiKey = "0123456789abcdef-wrong"
try:
    api.domains_dns_getHosts(name)
    raise SystemExit("a wrong key was accepted")
except ApiError as error:
    assert error.number == "1011102", error
