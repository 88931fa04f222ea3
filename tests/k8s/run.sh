#!/usr/bin/env bash
# Checks conf/k8s without a cluster: `run.sh GATEWAY POLICY_SERVER`, the programs that are asked about their configuration.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
. "$root/tests/packages.sh"
run_python_tests "$here" "$@"
