#!/usr/bin/env bash
# Puts together what a container image holds, and nothing else: `rootfs.sh PROGRAM FOLDER`.
#
# The program, the libraries it was linked with, the roots that certificates are checked with, and a configuration. No
# shell, no package manager, no other program.
set -euo pipefail

[ $# -eq 2 ] || { sed -n '2s/^# //p' "$0" >&2; exit 2; }
program=$1 folder=$2
name="$(basename "$program")"
source="$(cd "$(dirname "$0")/../.." && pwd)"
roots=/etc/ssl/certs/ca-certificates.crt
[ -s "$roots" ] || { echo "missing: $roots (install ca-certificates)" >&2; exit 1; }
# Inside a container, loopback is nobody's: metrics and readiness are on every address, and published only on demand.
case $name in
  airiskguard-gateway) configuration=gateway.yaml change='s/listen: 127\.0\.0\.1:9090/listen: "0.0.0.0:9090"/' ;;
  airiskguard-policy-server) configuration=policy-server.yaml change= ;;
  *) echo "there is no image of a program called $name" >&2; exit 2 ;;
esac

install -d -m 755 "$folder"/{usr/bin,etc/airiskguard,etc/ssl/certs,"usr/share/doc/$name"}
install -m 755 "$program" "$folder/usr/bin/$name"
strip --strip-unneeded "$folder/usr/bin/$name"

# The loader and the libraries, each where the program looks for it.
ldd "$program" | grep -oE '/[^ ]+' | while read -r library; do
  install -D -m 755 "$(readlink -f "$library")" "$folder$library"
done

install -m 644 "$roots" "$folder$roots"
echo 'airiskguard:x:65532:65532:AI gateway:/nonexistent:/nonexistent' >"$folder/etc/passwd"
echo 'airiskguard:x:65532:' >"$folder/etc/group"
echo 'hosts: files dns' >"$folder/etc/nsswitch.conf"
chmod 644 "$folder"/etc/{passwd,group,nsswitch.conf}

sed "$change" "$source/conf/$configuration" >"$folder/etc/airiskguard/$configuration"
chmod 644 "$folder/etc/airiskguard/$configuration"
install -m 644 "$source/LICENSE" "$folder/usr/share/doc/$name/LICENSE"
