#!/bin/sh
# Later versions of PowerDNS and dnsdist for tests, from later releases of Debian: unpacked beside the build with the
# libraries that they need, not installed. Each folder has a `dnsdist` and a `pdns_server` that run them.
set -eu
cd "$(dirname "$0")/.."
releases=trixie
# What will be the next Debian is in motion, so only full runs ask for it.
[ -z "${PDM_TEST_FULL:-}" ] || releases="$releases forky"
mkdir -p "${CARGO_TARGET_DIR:-target}/powerdns"
here=$(cd "${CARGO_TARGET_DIR:-target}/powerdns" && pwd)
# Two at once would take each other's files away.
exec 9>"$here/.lock"; flock 9
start() {
    cat > "$to/$1.part" <<END
#!/bin/sh
exec "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$to/$2" ${3:+"$3"} "\$@"
END
    chmod +x "$to/$1.part"
    mv "$to/$1.part" "$to/$1"
}
fetch() {
    to=$here/$1; apt=$here/$1.apt
    [ -x "$to/pdns_server" ] && return
    echo "fetching PowerDNS of Debian $1"
    rm -rf "$to" "$apt"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    # From where this machine has its own packages.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | grep -v security | head -1)
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian/} $1 main" > "$apt/sources.list"
    set -- -qq -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o Dir::State::status=/dev/null \
        -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o APT::Default-Release=
    apt-get "$@" update
    # Nothing counts as installed, so whatever it needs comes along, down to the C library.
    apt-get "$@" install -y --download-only --no-install-recommends \
        pdns-server pdns-backend-sqlite3 pdns-backend-pgsql pdns-backend-geoip dnsdist libc6
    for package in "$apt"/cache/archives/*.deb; do dpkg -x "$package" "$to"; done
    rm -rf "$apt"
    libraries=$to/usr/lib/x86_64-linux-gnu
    start dnsdist usr/bin/dnsdist
    # The last, so that it is there when everything is.
    start pdns_server usr/sbin/pdns_server "--module-dir=$libraries/pdns"
}
for release in $releases; do fetch "$release"; done
