#!/bin/sh
# A wildcard certificate for a fresh Sovereign, from a certificate authority on this machine (pebble), got by an unmodified
# client of PowerDNS (lego) that holds no key of PowerDNS. The authority resolves through unbound, which validates DNSSEC
# from the pool's key. Ends with status 0 only if all of it happened.
set -eu
cd "$(dirname "$0")/.."
n=$(($$ % 2000)) # ports that a second demonstration does not use, below those that the system gives to clients
dns=$((20000 + n)); http=$((22000 + n)); acme=$((24000 + n)); manage=$((26000 + n)); resolver=$((28000 + n))
pdm=${PDM_BIN:-${CARGO_TARGET_DIR:-target}/debug/pdm}; pool=omani.works; name=omantel.$pool; state=$(mktemp -d)
PATH=$PATH:/usr/sbin
say() { printf '\n== %s\n' "$*"; }
children=
finish() {
    status=$?
    trap - EXIT
    [ $status = 0 ] || { printf '\n== it did not work:\n'; tail -n 25 "$state/out" "$state/pebble.log" "$state/lego.log" 2>/dev/null; }
    for child in $children; do kill "$child" 2>/dev/null && wait "$child" 2>/dev/null || true; done
    rm -rf "$state"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM
until_true() { # what, then a command
    what=$1; shift; tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1)); [ $tries -lt 300 ] || { echo "waited too long for $what" >&2; exit 1; }
        sleep 0.2
    done
}

say "pdm up, and $name lent to 192.0.2.10"
"$pdm" up --state-dir "$state/pdm" --pool $pool --dns 127.0.0.1:$dns --http 127.0.0.1:$http --ttl 2 >"$state/out" 2>&1 &
children="$children $!"
until_true "pdm up" grep -q 'is up' "$state/out"
PDM_URL=http://127.0.0.1:$http; PDM_TOKEN=$(cat "$state/pdm/admin.token"); export PDM_URL PDM_TOKEN
"$pdm" reserve $name --output json >"$state/reserved" 2>&1 || { cat "$state/reserved"; exit 1; }
token=$(sed -n 's/.*"reservationToken": "\([^"]*\)".*/\1/p' "$state/reserved")
[ -n "$token" ] || { cat "$state/reserved"; exit 1; }
"$pdm" commit $name --token "$token" --ipv4 192.0.2.10 --wait 60 >"$state/commit"
"$pdm" get $name | grep -qE '^phase +active'

say "a token that may write proofs into $name and nothing else"
door=$("$pdm" token create --file "$state/pdm/tokens.toml" --name lego --role dns-door --owner operator \
    --zone $name --door acme --output json | sed -n 's/.*"token": "\([^"]*\)".*/\1/p')
zones=$PDM_URL/api/v1/servers/localhost/zones
until_true "the token" curl -sf -H "X-API-Key: $door" "$zones"
curl -s -H "X-API-Key: $door" "$zones/$name."; echo

say "unbound, which validates from the pool's key"
key=$(dig @127.0.0.1 -p $dns $pool DNSKEY +short | sed -n '/^257 /p' | head -n 1)
cat >"$state/unbound.conf" <<CONF
server:
  interface: 127.0.0.1@$resolver
  directory: "$state"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  trust-anchor: "$pool. DNSKEY $key"
stub-zone:
  name: "$pool"
  stub-addr: 127.0.0.1@$dns
CONF
unbound -c "$state/unbound.conf" >"$state/unbound.log" 2>&1 &
children="$children $!"
look() { dig @127.0.0.1 -p $resolver +dnssec "$1" "$2" | tee "$state/look" | grep -qE "^;; flags:.* ad[ ;]" && grep -q "$3" "$state/look"; }
until_true "unbound to validate $name" look "$name" A 192.0.2.10

say "pebble, a certificate authority that is new every time"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout "$state/key.pem" \
    -out "$state/cert.pem" -addext 'subjectAltName=IP:127.0.0.1,DNS:localhost' 2>/dev/null
cat >"$state/pebble.json" <<JSON
{"pebble": {"listenAddress": "127.0.0.1:$acme", "managementListenAddress": "127.0.0.1:$manage", "httpPort": 5002,
 "tlsPort": 5001, "certificate": "$state/cert.pem", "privateKey": "$state/key.pem"}}
JSON
PEBBLE_VA_NOSLEEP=1 pebble -config "$state/pebble.json" -dnsserver 127.0.0.1:$resolver >"$state/pebble.log" 2>&1 &
children="$children $!"
until_true "pebble" curl -sf --cacert "$state/cert.pem" "https://127.0.0.1:$acme/dir"

say "lego asks for *.$name, $name and axon.$name, which only the wildcard answers for"
run_lego() {
    PDNS_API_URL=$PDM_URL PDNS_API_KEY=$door LEGO_CA_CERTIFICATES=$state/cert.pem lego --path "$state/lego" \
        --server "https://127.0.0.1:$acme/dir" --email ops@openova.io --accept-tos --dns pdns \
        --dns.resolvers 127.0.0.1:$dns --dns.disable-cp "$@" >"$state/lego.log" 2>&1
}
run_lego -d "*.$name" -d $name -d axon.$name run
grep -E 'acme: (Trying|use dns-01|Validations)|server validated|certificate' "$state/lego.log" | sed 's/^.*\[INFO\] /   /'

say "the certificate"
openssl x509 -in "$state/lego/certificates/_.$name.crt" -noout -issuer -ext subjectAltName | tee "$state/names"
grep -qF "DNS:*.$name" "$state/names"

if [ -n "${CERTBOT:-}" ]; then
    say "certbot with its PowerDNS plugin gets one too, at a name that no resolver remembers from before"
    printf 'dns_powerdns_api_url = %s\ndns_powerdns_api_key = %s\n' "$PDM_URL" "$door" >"$state/certbot.ini"
    chmod 600 "$state/certbot.ini"
    REQUESTS_CA_BUNDLE=$state/cert.pem "$CERTBOT" certonly --non-interactive --agree-tos --register-unsafely-without-email \
        --server "https://127.0.0.1:$acme/dir" --config-dir "$state/certbot" --work-dir "$state/certbot" --logs-dir "$state/certbot" \
        --authenticator dns-powerdns --dns-powerdns-credentials "$state/certbot.ini" --dns-powerdns-propagation-seconds 5 \
        -d "*.shop.$name" >"$state/lego.log" 2>&1
    openssl x509 -in "$state/certbot/live/shop.$name/cert.pem" -noout -ext subjectAltName | grep -F "DNS:*.shop.$name"
fi

say "the proofs are gone, axon is answered by the wildcard again, and PDM says who wrote what"
[ "$(curl -s -H "X-API-Key: $door" "$zones/$name." | grep -c _acme-challenge)" = 0 ]
[ -z "$(dig @127.0.0.1 -p $dns _acme-challenge.axon.$name TXT +short)" ]
[ "$(dig @127.0.0.1 -p $dns axon.$name A +short)" = 192.0.2.10 ]
"$pdm" log --fqdn $name 2>/dev/null | tee "$state/log" | grep dns-write | head -n 4
grep -q token:lego "$state/log"

say "with the same token nothing else can be written"
for rrset in "$name. A 192.0.2.66" "console.$name. A 192.0.2.66" "_acme-challenge.$name. TYPE65402 x" "x.$name. NS ns.evil.example."; do
    # shellcheck disable=SC2086
    set -- $rrset
    status=$(curl -s -o "$state/refused" -w '%{http_code}' -X PATCH -H "X-API-Key: $door" "$zones/$name." -d \
        "{\"rrsets\":[{\"name\":\"$1\",\"type\":\"$2\",\"ttl\":60,\"changetype\":\"REPLACE\",\"records\":[{\"content\":\"$3\"}]}]}")
    printf '   %s %s\n' "$status" "$(cat "$state/refused")"
    [ "$status" = 403 ]
done
say "all of it happened"
