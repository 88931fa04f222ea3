#!/usr/bin/env bash
# Prints the manual page of a program, from what it says of itself: `manual.sh PROGRAM VERSION DATE`.
set -euo pipefail
program=$1 version=$2 date=$3
name="$(basename "$program")"
here="$(cd "$(dirname "$0")" && pwd)/$name"
# shellcheck source=/dev/null  # one for each program
. "$here/package"

# Text as it is: no command, no escape, no hyphen that becomes something else.
verbatim() { printf '.nf\n'; sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\([.']\)/\\\\\&\1/"; printf '.fi\n'; }

title="${name^^}"
printf '.TH %s 1 "%s" "%s" "User Commands"\n' "${title//-/\\-}" "$date" "$version"
cat "$here/manual.description"
"$program" --help | verbatim
for command in "${commands[@]}"; do
  printf '.SS %s\n' "$command"
  # shellcheck disable=SC2086  # two words are two arguments
  "$program" $command --help | verbatim
done
cat "$here/manual.files"
