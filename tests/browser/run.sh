#!/usr/bin/env bash
# Uses the dashboard in a real browser (Debian's chromium, headless), with a gateway and an identity provider behind it,
# and keeps a picture of every page.
#
#   run.sh POLICY_SERVER GATEWAY [WORD…]   the paths of both programs; scenes whose names hold a word
#
# Pictures: target/browser/screenshots.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
. "$root/tests/clients/install.sh"
target="${CARGO_TARGET_DIR:-$root/target}"
clients="$target/browser"

case "${1:-}" in "" | -*) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;; esac
[ $# -ge 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
server="$(realpath "$1")" gateway="$(realpath "$2")"
shift 2
install_npm puppeteer puppeteer.json
# The one that the tests of sign-in use, where they put it.
"$root/tests/control/oidc/install.sh" "$target/tmp/oidc-provider"
export BROWSER_NODE="$clients/puppeteer" BROWSER_PICTURES="$clients/screenshots" BROWSER_OIDC="$target/tmp/oidc-provider"
exec node "$here/scenes.mjs" "$server" "$gateway" "$@"
