#!/usr/bin/env bash
# Prints the manual page, from what the program says of itself: `manual.sh BINARY VERSION DATE`.
set -euo pipefail
binary=$1 version=$2 date=$3

# Text as it is: no command, no escape, no hyphen that becomes something else.
verbatim() { printf '.nf\n'; sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\([.']\)/\\\\\&\1/"; printf '.fi\n'; }

cat <<PAGE
.TH AIRISKGUARD\-GATEWAY 1 "$date" "$version" "User Commands"
.SH NAME
airiskguard\-gateway \- gateway that scans prompts and completions between AI coding tools and AI providers
.SH SYNOPSIS
.B airiskguard\-gateway
[\fIOPTIONS\fR] [\fICOMMAND\fR]
.SH DESCRIPTION
Stands between developers' AI coding tools and the AI providers, reads every prompt and every completion, decides by
policy, and forwards, redacts or blocks. Without a command it serves.
.SH OPTIONS AND COMMANDS
PAGE
"$binary" --help | verbatim
for command in check scan 'rules list' 'rules test' 'rules explain' fingerprint 'audit verify' 'audit search' 'audit tail' \
  'audit export' 'alerts test' keygen connect; do
  printf '.SS %s\n' "$command"
  # shellcheck disable=SC2086  # two words are two arguments
  "$binary" $command --help | verbatim
done
cat <<'PAGE'
.SH FILES
.TP
.I /etc/airiskguard/gateway.yaml
The configuration; every option stands in
.IR /usr/share/doc/airiskguard\-gateway/examples/gateway\-full.yaml .
.TP
.I /etc/airiskguard/environment
Variables for
.IR ${NAME}
in it, such as provider keys. Readable by root alone.
.TP
.I /var/lib/airiskguard
Name, keys, journal and audit store of this gateway. Purging the package leaves them.
PAGE
