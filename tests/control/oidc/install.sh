#!/usr/bin/env bash
# Installs the identity provider of the tests into FOLDER, once for each version of the pins: install.sh FOLDER
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
folder=$1
. "$here/../once.sh"

install() {
    cp "$here/package.json" "$folder/package.json"
    (cd "$folder" && npm install --no-package-lock --no-audit --no-fund --loglevel=error)
}

once "$folder" "$here/package.json" install
