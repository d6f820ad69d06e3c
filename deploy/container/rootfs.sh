#!/bin/sh
# Everything that a container of PDM holds: rootfs.sh BINARY DIR. The binary, the libraries it is linked with, the
# certificates of the system's authorities, one user, and empty directories to mount on.
set -eu
binary=$1 root=$2
umask 022
mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/etc/pdm" "$root/run/secrets" "$root/var/lib/pdm" "$root/tmp"
cp "$binary" "$root/usr/bin/pdm"
chmod 755 "$root/usr/bin/pdm"
# `name => /path` and the loader, which has a path only.
ldd "$binary" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo 'pdm:x:65532:65532::/var/lib/pdm:/usr/sbin/nologin' > "$root/etc/passwd"
echo 'pdm:x:65532:' > "$root/etc/group"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
chmod 700 "$root/var/lib/pdm"
[ "$(id -u)" != 0 ] || chown 65532:65532 "$root/var/lib/pdm"
chmod 1777 "$root/tmp"
