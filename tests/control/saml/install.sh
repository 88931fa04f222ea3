#!/usr/bin/env bash
# Installs the identity provider of the tests into FOLDER, once for each version of the pins: install.sh FOLDER
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
folder=$1
. "$here/../once.sh"

install() {
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
}

once "$folder" "$here/requirements.txt" install
