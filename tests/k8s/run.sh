#!/usr/bin/env bash
# Checks conf/k8s without a cluster: `run.sh GATEWAY`, the path of the binary that is asked about the configuration.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
. "$root/tests/packages.sh"

[ $# -eq 1 ] || { sed -n '2s/^# //p' "$0" >&2; exit 2; }
export GATEWAY PYTHONDONTWRITEBYTECODE=1
GATEWAY="$(realpath "$1")"
install_python_packages k8s "$here/requirements.txt"
export KUBECTL="$packages/bin/kubectl"
exec "$packages/bin/python" -m unittest discover --start-directory "$here"
