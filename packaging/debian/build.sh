#!/usr/bin/env bash
# Makes a Debian package of a program that is built already: `build.sh PROGRAM FOLDER [REVISION]`; prints its path.
#
# The program's name says which package it is: the folder of that name holds what differs. COMPRESSION (xz) may be none,
# where time counts more than size.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2s/^# //p' "$0" >&2; exit 2; }
program="$(realpath "$1")" output="$(realpath "$2")" revision="${3:-1}"
here="$(cd "$(dirname "$0")" && pwd)"
source="$(cd "$here/../.." && pwd)"
name="$(basename "$program")"
[ -d "$here/$name" ] || { echo "there is no package of a program called $name" >&2; exit 2; }
# shellcheck source=/dev/null  # one for each package
. "$here/$name/package"
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

# The names that stand for what differs, in text that is the same for every package.
filled() {
  sed -e "s|@NAME@|$name|g" -e "s|@CONFIGURATION@|$configuration|g" -e "s|@STATE@|$state|g" -e "s|@UNITS@|${units[*]}|g" \
    -e "s|@FIRST@|$first|g" -e "s|@LEFT@|$left|g" "$1"
}

# The packages with the shared libraries that the program asks for, in the oldest version that will do.
libraries() {
  mkdir "$work/debian"
  printf 'Source: %s\n\nPackage: %s\nArchitecture: any\n' "$name" "$name" >"$work/debian/control"
  (cd "$work" && dpkg-shlibdeps -O "root/usr/bin/$name" | sed 's/^shlibs:Depends=//')
}

umask 022
put 755 "$program" "usr/bin/$name"
strip --strip-unneeded --remove-section=.comment "$root/usr/bin/$name"
put 640 "$source/conf/$configuration" "etc/airiskguard/$configuration"
chmod 750 "$root/etc/airiskguard"
for unit in "${units[@]}"; do
  put 644 "$source/systemd/$unit" "usr/lib/systemd/system/$unit"
  sed -i 's#/usr/local/bin/#/usr/bin/#' "$root/usr/lib/systemd/system/$unit"
done
put 644 "$source/systemd/airiskguard-gateway.sysusers" "usr/lib/sysusers.d/$name.conf"

into="usr/share/doc/$name"
for document in "${documents[@]}"; do
  file="${document%%:*}" called="${document##*:}"
  put 644 "$source/$file" "$into/$(basename "$called")"
done
put 644 "$here/$name/lintian-overrides" "usr/share/lintian/overrides/$name"
put 644 "$here/copyright" "$into/copyright"
for example in "${examples[@]}"; do
  (cd "$source/conf" && find "$example" -type f) | while read -r file; do
    put 644 "$source/conf/$file" "$into/examples/$file"
  done
done
put 644 "$source/CHANGELOG.md" "$into/changelog"
printf '%s (%s) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- %s  %s\n' \
  "$name" "$version" "The airiskguard-gateway authors <airiskguard@example.com>" "$date" >"$root/$into/changelog.Debian"
gzip --best --no-name "$root/$into/changelog" "$root/$into/changelog.Debian"

# The page is what the program says of itself.
page="$root/usr/share/man/man1/$name.1"
mkdir -p "$(dirname "$page")"
"$here/manual.sh" "$program" "$version" "$(date --utc --date="@$epoch" +%Y-%m-%d)" >"$page"
gzip --best --no-name "$page"

mkdir "$root/DEBIAN"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@LIBRARIES@/$(libraries)/" \
  -e "s/@SIZE@/$(du --summarize --apparent-size --block-size=1K "$root" | cut -f1)/" "$here/$name/control" >"$root/DEBIAN/control"
echo "/etc/airiskguard/$configuration" >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
  filled "$here/$script" >"$root/DEBIAN/$script"
  chmod 755 "$root/DEBIAN/$script"
done
(cd "$root" && find usr -type f -print0 | sort --zero-terminated | xargs --null md5sum) >"$root/DEBIAN/md5sums"

find "$root" -exec touch --no-dereference --date="@$epoch" {} +
package="$output/${name}_${version}_$architecture.deb"
dpkg-deb --root-owner-group -Z"${COMPRESSION:-xz}" --build "$root" "$package" >&2
echo "$package"
