#!/usr/bin/env bash
# Runs the official SDKs of both vendors through the gateway.
#
#   run.sh GATEWAY [--only WORDS]   GATEWAY is the path of the binary
#   run.sh --direct [--only WORDS]  straight to the loopback provider, which proves provider and clients
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
. "$here/install.sh"

case "${1:-}" in
    --direct) stage=() ;;
    "" | -*) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    *) stage=(--gateway "$(realpath "$1")") ;;
esac
shift

install_python
install_npm sdk sdk.json
export CLIENTS_JS="$clients/sdk" PYTHONDONTWRITEBYTECODE=1
exec python3 "$here/stage.py" "${stage[@]}" -- \
    "$clients/python/bin/python" "$here/sdk_python.py" "$@" and node "$here/sdk_js.mjs" "$@"
