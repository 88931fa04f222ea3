#!/usr/bin/env bash
# Sends what `docs/openapi.json` allows, and what it does not, to a policy server that was just started, as an owner's
# program and as nobody: no answer may be a mistake of the server's own, none may differ from the document, and nobody
# may get in.
#
#   schemathesis.sh SERVER [SECONDS]   SERVER is the path of the binary
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
server="$(realpath "${1:?usage: schemathesis.sh SERVER [SECONDS]}")"
seconds=${2:-90}
pin=schemathesis==4.32.5
installed="${CARGO_TARGET_DIR:-$root/target}/control-schemathesis"
if [ "$(cat "$installed/installed" 2>/dev/null)" != "$pin" ]; then
    rm -rf "$installed" && python3 -m venv "$installed"
    "$installed/bin/pip" install --quiet --disable-pip-version-check "$pin"
    echo "$pin" >"$installed/installed"
fi

folder="$(mktemp -d)"
"$server" --port 0 --data-dir "$folder/data" --port-file "$folder/port" >"$folder/out" 2>"$folder/log" &
process=$!
trap 'kill "$process" 2>/dev/null || true; wait "$process" 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 100); do [ -s "$folder/port" ] && break; sleep 0.1; done
url="http://$(cat "$folder/port")"

token="$(python3 -B "$here/first_token.py" "$url" "$root/docs/openapi.json" <"$folder/data/setup-token")"
cd "$folder"
# One worker: CPython 3.11 reads its own source wrongly from several threads.
run() {
    "$installed/bin/schemathesis" run "$root/docs/openapi.json" --url "$url" --seed 1 --workers 1 --no-shrink \
        --request-timeout 15 --warnings off --suppress-health-check all --report-dir "$folder/report" "$@"
}
# What ends the program's own way in, and the first run, which is over, stay out; the load is what is unusual here, so
# that being told to wait is an answer.
echo "as an owner's program:"
run --header "Authorization: Bearer $token" --max-time "$seconds" --max-examples 15 \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth \
    --phases examples,coverage,fuzzing --exclude-path /api/v1/sign-out
echo "as nobody:"
run --max-time 20 --max-examples 3 --checks not_a_server_error,status_code_conformance,content_type_conformance \
    --phases examples,coverage
python3 -B "$here/nobody_gets_in.py" "$url" "$root/docs/openapi.json"
if grep -E '"level":"ERROR"|panicked' "$folder/log"; then
    echo "the server's log has errors" >&2
    exit 1
fi
