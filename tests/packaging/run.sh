#!/usr/bin/env bash
# Builds the Debian package and the files of the container image from a binary, and tries both: `run.sh GATEWAY`.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
. "$root/tests/packages.sh"

[ $# -eq 1 ] || { sed -n '2s/^# //p' "$0" >&2; exit 2; }
export GATEWAY PYTHONDONTWRITEBYTECODE=1
GATEWAY="$(realpath "$1")"
install_python_packages packaging "$here/requirements.txt"
export HADOLINT="$packages/bin/hadolint"
exec "$packages/bin/python" -m unittest discover --start-directory "$here"
