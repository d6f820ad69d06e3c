#!/bin/sh
# Two regions, one of them dies and comes back: what each nameserver answers, live. Ends with status 0 only if it happened.
set -eu
cd "$(dirname "$0")/.."
n=$(($$ % 5000)) # ports that a second demonstration does not use
port=${PDM_DEMO_DNS:-$((20000 + n))}; http=${PDM_DEMO_HTTP:-$((26000 + n))}; web=$((32000 + n))
pdm=${CARGO_TARGET_DIR:-target}/debug/pdm; pool=omani.works; name=omantel.$pool; state=$(mktemp -d)
fsn=127.0.1.1; nbg=127.0.1.2
say() { printf '\n== %s\n' "$*"; }
child=; web_fsn=; web_nbg=
finish() {
    status=$?
    trap - EXIT
    [ $status = 0 ] || { printf '\n== it did not work; the log of pdm:\n'; tail -n 40 "$state/out"; }
    for one in $web_fsn $web_nbg $child; do kill "$one" 2>/dev/null && wait "$one" 2>/dev/null || true; done
    rm -rf "$state"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

# A load balancer: opens every connection, says nothing.
serve() {
    exec perl -MIO::Socket::INET -e '
        my $s = IO::Socket::INET->new(LocalAddr => $ARGV[0], LocalPort => $ARGV[1], Listen => 64, ReuseAddr => 1) or die $@;
        while (my $c = $s->accept) { close $c }' "$1" "$web"
}
answer() { dig @"$1" -p "$port" +short +norecurse $name A | sort | tr '\n' ' ' | sed 's/ $//'; }
region() {
    case $1 in "$fsn") echo fsn ;; "$nbg") echo nbg ;; "$fsn $nbg") echo both ;; *) echo "${1:-none}" ;; esac
}
# One line a look until every nameserver gives $1, for at most $2 seconds.
watch() {
    looks=0
    while :; do
        a=$(answer 127.0.0.1); b=$(answer 127.0.0.2); c=$(answer 127.0.0.3)
        printf '   %5s s   %-6s %-6s %-6s\n' "$((looks / 5)).$((looks % 5 * 2))" "$(region "$a")" "$(region "$b")" "$(region "$c")"
        [ "$a$b$c" != "$1$1$1" ] || return 0
        [ $looks -lt $(($2 * 5)) ] || return 1
        looks=$((looks + 1)); sleep 0.2
    done
}
heading() { printf '\n     after   ns1    ns2    ns3\n'; }

say "two load balancers: fsn at $fsn, nbg at $nbg, port $web"
serve $fsn & web_fsn=$!
serve $nbg & web_nbg=$!

say "pdm up, with a health check every second and TTLs of 2 s"
"$pdm" up --state-dir "$state/pdm" --pool $pool --dns 127.0.0.1:"$port" --http 127.0.0.1:"$http" --ttl 2 \
    --check-interval 1 --allow-addresses 127.0.1.0/24 >"$state/out" 2>&1 &
child=$!
tries=0
until grep -q 'is up' "$state/out"; do
    tries=$((tries + 1))
    kill -0 $child 2>/dev/null && [ $tries -lt 150 ] || exit 1
    sleep 0.2
done
PDM_URL=http://127.0.0.1:$http; PDM_TOKEN=$(cat "$state/pdm/admin.token"); export PDM_URL PDM_TOKEN

cat >"$state/policy.json" <<POLICY
{ "loadBalancers": [ { "region": "fsn", "ipv4": "$fsn" }, { "region": "nbg", "ipv4": "$nbg" } ],
  "failover": { "strategy": "ordered", "check": { "type": "tcp", "port": $web, "timeout": 1 }, "ttl": 2 } }
POLICY
say "pdm lua explain: what the policy renders to, answers and costs, before anything happens"
"$pdm" lua explain --file "$state/policy.json" --interval 1 --nameservers 1

say "commit $name with the policy"
token=$("$pdm" reserve $name --output json | sed -n 's/.*"reservationToken": "\([^"]*\)".*/\1/p')
"$pdm" commit $name --token "$token" --policy "$state/policy.json" --wait 60 >"$state/commit"
heading; watch $fsn 10

say "pdm rehearse: what clients would get without fsn, and when"
"$pdm" rehearse $name --down fsn

say "fsn dies"
kill $web_fsn; wait $web_fsn 2>/dev/null || true; web_fsn=
heading; watch $nbg 10
say "what PDM says of it"
tries=0
until "$pdm" lua status $name >"$state/status" && grep -q 'failed-over' "$state/status"; do
    tries=$((tries + 1)); [ $tries -lt 50 ] || exit 1; sleep 0.2
done
cat "$state/status"
say "the answer is signed all the same"
dig @127.0.0.1 -p "$port" +dnssec +noall +answer $name A | tee "$state/answer"
grep -q RRSIG "$state/answer"

say "fsn is back"
serve $fsn & web_fsn=$!
heading; watch $fsn 10

say "fsn is taken out by hand for an hour, although it is well"
"$pdm" lua drain $name --region fsn --down --for 1h --wait 60 >"$state/drain"
heading; watch $nbg 10
"$pdm" lua drain $name --region fsn --auto --wait 60 >"$state/drain"
heading; watch $fsn 10
say "all of it happened"
