#!/usr/bin/env bash
# Uses the dashboard in a real browser (Debian's chromium, headless) and keeps a picture of every page.
#
#   run.sh POLICY_SERVER [WORD…]   the path of airiskguard-policy-server; scenes whose names hold a word
#
# Pictures: target/browser/screenshots.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
. "$root/tests/clients/install.sh"
clients="${CARGO_TARGET_DIR:-$root/target}/browser"

case "${1:-}" in "" | -*) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;; esac
server="$(realpath "$1")"
shift
install_npm puppeteer puppeteer.json
BROWSER_NODE="$clients/puppeteer" BROWSER_PICTURES="$clients/screenshots" exec node "$here/scenes.mjs" "$server" "$@"
