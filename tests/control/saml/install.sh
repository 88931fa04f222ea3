#!/usr/bin/env bash
# Installs the identity provider of the tests into FOLDER, once for each version of the pins: install.sh FOLDER
set -euo pipefail
# Several tests ask for it at the same moment: one installs, the others wait.
mkdir -p "$(dirname "$1")"
exec 9>"$1.lock"
flock 9
here="$(cd "$(dirname "$0")" && pwd)"
folder=$1
cmp -s "$here/requirements.txt" "$folder/installed" && exit
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt" >&2
cp "$here/requirements.txt" "$folder/installed"
