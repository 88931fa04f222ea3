#!/usr/bin/env bash
# Puts together what the container image holds, and nothing else: `rootfs.sh BINARY FOLDER`.
#
# The program, the C library it was linked with, the roots that providers' certificates are checked with, and a
# configuration. No shell, no package manager, no other program.
set -euo pipefail

[ $# -eq 2 ] || { sed -n '2s/^# //p' "$0" >&2; exit 2; }
binary=$1 folder=$2
source="$(cd "$(dirname "$0")/../.." && pwd)"
roots=/etc/ssl/certs/ca-certificates.crt
[ -s "$roots" ] || { echo "missing: $roots (install ca-certificates)" >&2; exit 1; }

install -d -m 755 "$folder"/{usr/bin,etc/airiskguard,etc/ssl/certs,usr/share/doc/airiskguard-gateway}
install -m 755 "$binary" "$folder/usr/bin/airiskguard-gateway"
strip --strip-unneeded "$folder/usr/bin/airiskguard-gateway"

# The loader and the libraries, each where the program looks for it.
ldd "$binary" | grep -oE '/[^ ]+' | while read -r library; do
  install -D -m 755 "$(readlink -f "$library")" "$folder$library"
done

install -m 644 "$roots" "$folder$roots"
echo 'airiskguard:x:65532:65532:AI gateway:/nonexistent:/nonexistent' >"$folder/etc/passwd"
echo 'airiskguard:x:65532:' >"$folder/etc/group"
echo 'hosts: files dns' >"$folder/etc/nsswitch.conf"
chmod 644 "$folder"/etc/{passwd,group,nsswitch.conf}

# Inside a container, loopback is nobody's: metrics and readiness are on every address, and published only on demand.
sed 's/listen: 127\.0\.0\.1:9090/listen: "0.0.0.0:9090"/' "$source/conf/gateway.yaml" >"$folder/etc/airiskguard/gateway.yaml"
chmod 644 "$folder/etc/airiskguard/gateway.yaml"
install -m 644 "$source/LICENSE" "$folder/usr/share/doc/airiskguard-gateway/LICENSE"
