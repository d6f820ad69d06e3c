#!/bin/sh
# Install what the demo and the tests need, and start no service: PowerDNS must not take port 53.
set -eu
need=
command -v pdns_server >/dev/null 2>&1 || [ -x /usr/sbin/pdns_server ] || need="$need pdns-server"
[ -e /usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql ] || need="$need pdns-backend-sqlite3"
[ -e /usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql ] || need="$need pdns-backend-pgsql"
[ -e /usr/lib/x86_64-linux-gnu/pdns/libgeoipbackend.so ] || need="$need pdns-backend-geoip"
# For the PowerDNS of later releases, which scripts/powerdns.sh fetches.
[ -e /usr/share/keyrings/debian-archive-trixie-stable.gpg ] || need="$need debian-archive-keyring"
command -v dig >/dev/null 2>&1 && command -v delv >/dev/null 2>&1 || need="$need bind9-dnsutils"
[ -x /usr/sbin/unbound ] || need="$need unbound"
[ -e /usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1 ] || need="$need libfaketime"
[ -x /usr/sbin/named ] || need="$need bind9"
[ -x /usr/sbin/knotd ] || need="$need knot"
command -v sqlite3 >/dev/null 2>&1 || need="$need sqlite3"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || need="$need postgresql"
[ -x /usr/sbin/pgbouncer ] || need="$need pgbouncer"
command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || need="$need nodejs npm"
[ -x /usr/bin/chromium ] || need="$need chromium"
# Tools and independent clients from PyPI, in environments of their own.
python3 -c 'import ensurepip, venv' 2>/dev/null || need="$need python3-venv"
# So that scripts/rvault.sh can build.
[ -z "${PDM_TEST_FULL:-}" ] || [ -e /usr/include/openssl/ssl.h ] || need="$need libssl-dev"
[ -z "${PDM_TEST_FULL:-}" ] || command -v pkg-config >/dev/null 2>&1 || need="$need pkg-config"
command -v lego >/dev/null 2>&1 || need="$need lego"
command -v nats-server >/dev/null 2>&1 || [ -x /usr/sbin/nats-server ] || need="$need nats-server"
[ -x /usr/bin/dnsdist ] || need="$need dnsdist"
command -v systemd-analyze >/dev/null 2>&1 || need="$need systemd"
command -v promtool >/dev/null 2>&1 || need="$need prometheus"
command -v pebble >/dev/null 2>&1 || need="$need pebble"
command -v zonemaster-cli >/dev/null 2>&1 || need="$need zonemaster-cli"
# Reports of audits are held against their schema.
python3 -c 'import jsonschema' 2>/dev/null || need="$need python3-jsonschema"
command -v openssl >/dev/null 2>&1 || need="$need openssl"
command -v jq >/dev/null 2>&1 || need="$need jq"
command -v curl >/dev/null 2>&1 || need="$need curl ca-certificates"
command -v cc >/dev/null 2>&1 || need="$need build-essential"
[ -z "$need" ] && exit 0
root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "run as root, or install:$need" >&2; exit 1; }
    root=sudo
fi
echo "installing:$need"
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null; $root chmod +x $policy
    trap '$root rm -f $policy' EXIT INT TERM
fi
$root apt-get update -qq
# shellcheck disable=SC2086
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o APT::Keep-Downloaded-Packages=false $need
# The packages switch their services on for the next boot; port 53 is not ours to take.
if [ -d /run/systemd/system ]; then
    case $need in *pdns-server*) $root systemctl disable --quiet pdns.service || true ;; esac
    case $need in *unbound*) $root systemctl disable --quiet unbound.service || true ;; esac
    case "$need " in *" bind9 "*) $root systemctl disable --quiet named.service || true ;; esac
    case $need in *knot*) $root systemctl disable --quiet knot.service || true ;; esac
    case $need in *dnsdist*) $root systemctl disable --quiet dnsdist.service || true ;; esac
    case $need in *nats-server*) $root systemctl disable --quiet nats-server.service || true ;; esac
    case $need in *prometheus*) $root systemctl disable --quiet prometheus.service prometheus-node-exporter.service || true ;; esac
    case $need in *pgbouncer*) $root systemctl disable --quiet pgbouncer.service || true ;; esac
    case $need in *postgresql*) $root systemctl disable --quiet postgresql.service || true ;; esac
fi
