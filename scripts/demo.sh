#!/bin/sh
# One Sovereign from reservation to quarantine, explained. Ends with status 0 only if all of it happened.
set -eu
say() { printf '\n== %s\n' "$*"; }
port=${PDM_DEMO_DNS:-5353}; http=${PDM_DEMO_HTTP:-18053}
pdm=${CARGO_TARGET_DIR:-target}/debug/pdm; name=omantel.omani.works; state=$(mktemp -d)
say "pdm up: a store, a private PowerDNS and the daemon, in $state (TTLs of 2 s, so that waits are short)"
$pdm up --state-dir "$state" --dns 127.0.0.1:$port --http 127.0.0.1:$http --ttl 2 >"$state/out" 2>&1 & child=$!
trap 'kill $child 2>/dev/null || true; wait $child 2>/dev/null || true; rm -rf "$state"' EXIT
tries=0; until [ -s "$state/admin.token" ] && $pdm --help >/dev/null && grep -q 'is up' "$state/out"; do
    tries=$((tries + 1)); [ $tries -lt 100 ] || { cat "$state/out"; exit 1; }; sleep 0.2; done
PDM_URL=http://127.0.0.1:$http; PDM_TOKEN=$(cat "$state/admin.token"); export PDM_URL PDM_TOKEN
say "reserve: a row in the store; the DNS knows nothing yet"
token=$($pdm reserve $name --output json | sed -n 's/.*"reservationToken": "\(.*\)".*/\1/p')
say "commit: zone, keys, records, NS and DS; then every nameserver is asked and the answers are proved"
$pdm commit $name --token "$token" --ipv4 192.0.2.10 --wait 30 | grep -E '^(phase|ChainSecure)'
$pdm get $name | grep -qE '^phase +active'
ask="dig @127.0.0.1 -p $port +dnssec +noall +answer"
for n in $name any.$name console.$name api.$name gitea.$name harbor.$name; do
    say "dig $n: an address and its signature"; $ask "$n" A | tee "$state/a"
    grep -q RRSIG "$state/a" && grep -q 192.0.2.10 "$state/a"
done
say "delv: the chain from the pool's key down"
dig @127.0.0.1 -p $port omani.works DNSKEY +short | awk '$1==257 {k=""; for(i=4;i<=NF;i++) k=k $i; printf "trust-anchors { \"omani.works.\" static-key %s %s %s \"%s\"; };\n",$1,$2,$3,k}' >"$state/anchor"
delv @127.0.0.1 -p $port -a "$state/anchor" +root=omani.works console.$name A | tee "$state/d"
grep -q 'fully validated' "$state/d"
say "release: DS out, its TTL waited out, NS and zone out together, the name in quarantine"
$pdm release $name --wait 40 >/dev/null
$pdm get $name | grep -E '^(phase|quarantinedUntil)'; $pdm get $name | grep -qE '^phase +quarantined'
[ -z "$(dig @127.0.0.1 -p $port $name A +short)" ]
say "all of it happened"
