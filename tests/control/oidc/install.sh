#!/usr/bin/env bash
# Installs the identity provider of the tests into FOLDER, once for each version of the pins: install.sh FOLDER
set -euo pipefail
# Several tests ask for it at the same moment: one installs, the others wait.
mkdir -p "$(dirname "$1")"
exec 9>"$1.lock"
flock 9
here="$(cd "$(dirname "$0")" && pwd)"
folder=$1
cmp -s "$here/package.json" "$folder/installed" && exit
rm -rf "$folder" && mkdir -p "$folder"
cp "$here/package.json" "$folder/package.json"
(cd "$folder" && npm install --no-package-lock --no-audit --no-fund --loglevel=error >&2)
cp "$here/package.json" "$folder/installed"
