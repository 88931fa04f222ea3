#!/usr/bin/env bash
# Makes a Debian package of a gateway that is built already: `build.sh BINARY FOLDER [REVISION]`; prints its path.
#
# With dpkg-deb alone, which every Debian machine has. COMPRESSION (xz) may be none, where time counts more than size.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2s/^# //p' "$0" >&2; exit 2; }
binary="$(realpath "$1")" output="$(realpath "$2")" revision="${3:-1}"
here="$(cd "$(dirname "$0")" && pwd)"
source="$(cd "$here/../.." && pwd)"
name=airiskguard-gateway
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' "$source/Cargo.toml" | head -1)-$revision"
architecture="$(dpkg --print-architecture)"
work="$(mktemp --directory)"
trap 'rm -rf "$work"' EXIT
root="$work/root"
# The same input gives the same package.
epoch="${SOURCE_DATE_EPOCH:-$(stat --format=%Y "$source/CHANGELOG.md")}"
export SOURCE_DATE_EPOCH="$epoch"
date="$(date --utc --date="@$epoch" --rfc-email)"

put() { install -D -m "$1" "$2" "$root/$3"; }

umask 022
put 755 "$binary" "usr/bin/$name"
strip --strip-unneeded --remove-section=.comment "$root/usr/bin/$name"
put 640 "$source/conf/gateway.yaml" etc/airiskguard/gateway.yaml
chmod 750 "$root/etc/airiskguard"
for unit in service socket; do
  put 644 "$source/systemd/$name.$unit" "usr/lib/systemd/system/$name.$unit"
  sed -i 's#/usr/local/bin/#/usr/bin/#' "$root/usr/lib/systemd/system/$name.$unit"
done
put 644 "$source/systemd/$name.sysusers" "usr/lib/sysusers.d/$name.conf"

documents="usr/share/doc/$name"
put 644 "$source/README.md" "$documents/README.md"
put 644 "$source/systemd/README.md" "$documents/README.systemd.md"
put 644 "$here/lintian-overrides" "usr/share/lintian/overrides/$name"
put 644 "$here/copyright" "$documents/copyright"
for example in gateway-full.yaml prometheus-rules.yaml grafana.json rules/prohibited_content.yaml; do
  put 644 "$source/conf/$example" "$documents/examples/$example"
done
for example in haproxy envoy; do
  (cd "$source/conf" && find "$example" -type f) | while read -r file; do
    put 644 "$source/conf/$file" "$documents/examples/$file"
  done
done
put 644 "$source/CHANGELOG.md" "$documents/changelog"
printf '%s (%s) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- %s  %s\n' \
  "$name" "$version" "The airiskguard-gateway authors <airiskguard@example.com>" "$date" >"$root/$documents/changelog.Debian"
gzip --best --no-name "$root/$documents/changelog" "$root/$documents/changelog.Debian"

# The page is what the program says of itself.
page="$root/usr/share/man/man1/$name.1"
mkdir -p "$(dirname "$page")"
"$here/manual.sh" "$binary" "$version" "$(date --utc --date="@$epoch" +%Y-%m-%d)" >"$page"
gzip --best --no-name "$page"

# The oldest C library that has every symbol the program asks for.
libc="$(grep -aoE 'GLIBC_2\.[0-9]+' "$root/usr/bin/$name" | sed 's/GLIBC_//' | sort --unique --version-sort | tail -1)"
mkdir "$root/DEBIAN"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@LIBC@/$libc/" \
  -e "s/@SIZE@/$(du --summarize --apparent-size --block-size=1K "$root" | cut -f1)/" "$here/control" >"$root/DEBIAN/control"
echo /etc/airiskguard/gateway.yaml >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
  install -m 755 "$here/$script" "$root/DEBIAN/$script"
done
(cd "$root" && find usr -type f -print0 | sort --zero-terminated | xargs --null md5sum) >"$root/DEBIAN/md5sums"

find "$root" -exec touch --no-dereference --date="@$epoch" {} +
package="$output/${name}_${version}_$architecture.deb"
dpkg-deb --root-owner-group -Z"${COMPRESSION:-xz}" --build "$root" "$package" >&2
echo "$package"
