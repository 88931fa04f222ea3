#!/usr/bin/env bash
# Builds Debian packages and the files of the images, and tries both: `run.sh GATEWAY POLICY_SERVER`.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
. "$root/tests/packages.sh"
run_python_tests "$here" "$@"
