#!/bin/sh
# One Sovereign from reservation to quarantine, explained. Ends with status 0 only if all of it happened.
set -eu
cd "$(dirname "$0")/.."
n=$(($$ % 5000)) # ports that a second demonstration does not use
port=${PDM_DEMO_DNS:-$((20000 + n))}; http=${PDM_DEMO_HTTP:-$((26000 + n))}
pdm=${CARGO_TARGET_DIR:-target}/debug/pdm; pool=omani.works; name=omantel.$pool; state=$(mktemp -d)
say() { printf '\n== %s\n' "$*"; }
child=
finish() {
    status=$?
    trap - EXIT
    [ $status = 0 ] || { printf '\n== it did not work; the log of pdm:\n'; tail -n 40 "$state/out"; }
    [ -z "$child" ] || { kill "$child" 2>/dev/null && wait "$child" 2>/dev/null || true; }
    rm -rf "$state"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

say "pdm up: a store, a private PowerDNS and the daemon, in $state (TTLs of 2 s, so that waits are short)"
"$pdm" up --state-dir "$state/pdm" --pool $pool --dns 127.0.0.1:"$port" --http 127.0.0.1:"$http" --ttl 2 >"$state/out" 2>&1 &
child=$!
tries=0
until grep -q 'is up' "$state/out"; do
    tries=$((tries + 1))
    kill -0 $child 2>/dev/null && [ $tries -lt 150 ] || exit 1
    sleep 0.2
done
PDM_URL=http://127.0.0.1:$http; PDM_TOKEN=$(cat "$state/pdm/admin.token"); export PDM_URL PDM_TOKEN

say "reserve $name: one row in the store; the DNS knows nothing of it"
token=$("$pdm" reserve $name --output json | sed -n 's/.*"reservationToken": "\([^"]*\)".*/\1/p')
[ -n "$token" ]
[ -z "$(dig @127.0.0.1 -p "$port" $name A +short)" ]

say "commit $name to 192.0.2.10: zone, keys and six records, then NS and DS into the pool;"
echo "   it is active only when every nameserver answered as desired, over UDP and TCP, validated from the pool's key"
"$pdm" commit $name --token "$token" --ipv4 192.0.2.10 --wait 60 >"$state/commit"
"$pdm" get $name | tee "$state/get" | grep -E '^(phase|ChainSecure)'
grep -qE '^phase +active' "$state/get"

for n in $name any-other.$name console.$name api.$name gitea.$name harbor.$name; do
    say "dig $n: the address, and the signature over it"
    dig @127.0.0.1 -p "$port" +dnssec +noall +answer "$n" A | tee "$state/answer"
    grep -q 192.0.2.10 "$state/answer"
    grep -q RRSIG "$state/answer"
done

say "delv, which trusts the pool's key and nothing else"
dig @127.0.0.1 -p "$port" $pool DNSKEY +short | awk -v zone=$pool '
    $1 == 257 { k = ""; for (i = 4; i <= NF; i++) k = k $i
                printf "trust-anchors { \"%s.\" static-key %s %s %s \"%s\"; };\n", zone, $1, $2, $3, k }' >"$state/anchor"
[ -s "$state/anchor" ]
valid() {
    printf '   %-40s %-3s ' "$1" "$2"
    delv @127.0.0.1 -p "$port" -a "$state/anchor" +root=$pool "$1" "$2" >"$state/delv" 2>&1 || true
    grep -o 'fully validated' "$state/delv" || { cat "$state/delv"; exit 1; }
}
for n in $name any-other.$name console.$name api.$name gitea.$name harbor.$name; do valid "$n" A; done
valid $name DS
valid does-not-exist.$pool A

say "the DS of the pool, for its registrar"
"$pdm" pools ds

say "release $name: DS out, its TTL waited out, then NS and zone together"
"$pdm" release $name --wait 60 >"$state/release"
"$pdm" get $name | tee "$state/get" | grep -E '^(phase|quarantinedUntil)'
grep -qE '^phase +quarantined' "$state/get"
[ -z "$(dig @127.0.0.1 -p "$port" $name A +short)" ]

say "another owner asks for it, and is told until when it is kept"
if "$pdm" reserve $name --owner somebody-else 2>"$state/refused"; then exit 1; fi
cat "$state/refused"
grep -q name-quarantined "$state/refused"
say "all of it happened"
