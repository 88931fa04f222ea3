#!/usr/bin/env bash
# Shows in a few seconds what the gateway does, against a provider on loopback.
#
#   demo.sh GATEWAY   GATEWAY is the path of the binary
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
[ $# = 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
gateway="$(realpath "$1")"
folder="$(mktemp -d)"
export PYTHONDONTWRITEBYTECODE=1
children=()
trap 'kill "${children[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' blue=$'\e[36m' plain=$'\e[0m'
else
    bold='' dim='' red='' green='' blue='' plain=''
fi

title() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
# row COLOUR NAME: prints what comes in, the name in front of the first line, the colour over all of it.
row() { sed "s/^/$1/; s/\$/$plain/; 1s/^/$(printf '%-22s' "  $2")/; 2,\$s/^/$(printf '%-22s' '')/"; }

# Made-up secrets, put together here so that no scanner takes this file for a leak.
database_url="postgresql""://admin:""MyP@ssw0rd""@prod.db.company.com/app"
stripe_key="sk_""live_""9vT2kQ8xLw3Zr7Nb5Yc1Hd6J"

start() {
    python3 "$here/provider.py" >"$folder/ports" & children+=($!)
    until_true test -s "$folder/ports"
    provider_port="$(picked port <"$folder/ports")"
    control="http://127.0.0.1:$(picked control <"$folder/ports")"
    port="$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')"
    url="http://127.0.0.1:$port"
    cat >"$folder/gateway.yaml" <<YAML
upstream:
  anthropic: http://127.0.0.1:$provider_port
checks:
  outbound: [secrets, compliance, agent]
  inbound: [vuln, agent]
policies:
  - name: never_send_stripe_keys
    condition: {checker: secrets, type: STRIPE_SECRET_KEY}
    action: block
    redact: false
  - name: block_secrets
    condition: {checker: secrets, risk: ">= high"}
    action: block
  - name: block_vuln_code
    condition: {checker: vuln, risk: ">= high"}
    action: block
redact_secrets: true
redaction:
  restore: true
YAML
    "$gateway" --config "$folder/gateway.yaml" --host 127.0.0.1 --port "$port" >"$folder/log" 2>&1 & children+=($!)
    until_true healthy && kill -0 "${children[-1]}" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
}

# until_true COMMAND…: tries for ten seconds.
until_true() {
    for _ in $(seq 100); do "$@" && return; sleep 0.1; done
    return 1
}

# Also true when the gateway ended, so that nobody waits for it in vain.
healthy() { curl --silent --fail --output /dev/null "$url/healthz" || ! kill -0 "${children[-1]}" 2>/dev/null; }

# picked NAME: a member of a JSON object.
picked() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# provider_says TEXT: the provider's next answer, in deltas of six characters.
provider_says() {
    curl --silent --output /dev/null "$control/__reset" --data '{"cut": true}'
    python3 -c 'import json, sys; print(json.dumps([{"parts": [{"text": sys.argv[1]}], "cut": 6}]))' "$1" |
        curl --silent --output /dev/null "$control/__script" --data @-
}

# ask STREAM TEXT: one prompt through the gateway, as any client would send it.
ask() {
    python3 -c 'import json, sys; print(json.dumps({"model": "claude-sonnet-4-6", "max_tokens": 99,
        "messages": [{"role": "user", "content": sys.argv[2]}], "stream": sys.argv[1] == "true"}))' "$1" "$2" |
        curl --silent --no-buffer "$url/v1/messages" --header 'content-type: application/json' \
            --header 'x-api-key: a-developers-own-key' --header 'anthropic-version: 2023-06-01' --data @-
}

# What an answer says: the text of a message, the message of an error, the text deltas of a stream.
said() {
    python3 -c '
import json, sys
body = sys.stdin.read()
if body.startswith("{"):
    answer = json.loads(body)
    print(answer["error"]["message"] if "error" in answer else answer["content"][0]["text"])
else:
    events = [json.loads(line[5:]) for line in body.splitlines() if line.startswith("data:")]
    print("".join(event.get("delta", {}).get("text", "") for event in events))
    print("(the stream ended with " + events[-1]["type"] + ")")
' 2>&1
}

received() {
    curl --silent "$control/__requests" | python3 -c '
import base64, json, sys
told = json.load(sys.stdin)
for request in told["requests"]:
    print(json.loads(base64.b64decode(request["body_base64"]))["messages"][0]["content"])
if not told["requests"]:
    print("nothing, in", told["connections"], "connections")
'
}

show() {
    printf '%s\n' "$2" | row "$dim" "developer asks"
    ask "$1" "$2" >"$folder/answer"
    received | row "$blue" "provider received"
    said <"$folder/answer" | row "$3" "developer sees"
}

start
printf '%s\n' "Gateway at $url, provider at http://127.0.0.1:$provider_port, configuration:"
sed "s/^/  $dim/; s/\$/$plain/" "$folder/gateway.yaml"

title "1. A prompt with a secret is redacted before it leaves"
provider_says "The connection string looks fine."
show false "Is this right? DATABASE_URL=$database_url" "$green"

title "2. A prompt that may not leave is blocked; the provider is not even connected to"
provider_says "You will never read this."
show false "Why does $stripe_key not work?" "$red"

title "3. A completion with an injectable query is stopped while it streams"
provider_says 'Here you are:
cursor.execute(f"SELECT * FROM users WHERE name = '"'{name}'"'")
rows = cursor.fetchall()'
show true "Write a query by name" "$red"

title "4. The answer mentions the placeholder; the developer gets the original back, cut anywhere"
provider_says "Put this into .env:
DATABASE_URL=<<placeholder>>"
show true "Fix my .env: DATABASE_URL=$database_url" "$green"
