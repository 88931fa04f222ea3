#!/usr/bin/env bash
# Runs Claude Code and Codex through the gateway in a network namespace that has only loopback.
#
#   cli.sh GATEWAY [--only WORDS]   GATEWAY is the path of the binary
#   cli.sh --direct [--only WORDS]  straight to the loopback provider, which proves provider and agents
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

install_npm cli cli.json
export CLIENTS_CLI="$clients/cli" PYTHONDONTWRITEBYTECODE=1

# Root makes a network namespace as it is; others become root of a user namespace first.
spaces=(--net)
[ "$(id -u)" = 0 ] || spaces+=(--map-root-user)
exec unshare "${spaces[@]}" bash -c 'ip link set lo up && exec "$@"' cli.sh \
    python3 "$here/stage.py" "${stage[@]}" -- python3 "$here/cli.py" "$@"
