"""Where addresses are, as MaxMind DB: `places.py FILE` reads lines of `network country continent latitude longitude`,
with `-` for what is not known."""

import sys

from mmdb_writer import MMDBWriter, MmdbU16
from netaddr import IPSet

places = MMDBWriter(6, "GeoLite2-City", languages=["en"], ipv4_compatible=True, float_type="f64")
for line in sys.stdin:
    network, country, continent, latitude, longitude = line.split()
    known = {}
    if country != "-":
        known["country"] = {"iso_code": country}
    if continent != "-":
        known["continent"] = {"code": continent}
    if latitude != "-":
        # PowerDNS takes no location without its radius.
        radius = {"accuracy_radius": MmdbU16(10)}
        known["location"] = {"latitude": float(latitude), "longitude": float(longitude), **radius}
    places.insert_network(IPSet([network]), known)
places.to_db_file(sys.argv[1])
