#!/usr/bin/env bash
# Runs fuzz targets one after the other: fuzz/run.sh SECONDS [TARGET…]. Works with the stable toolchain.
#
# New inputs go to target/fuzz-corpus/TARGET, findings to target/fuzz-findings/TARGET; the kept corpus is read only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET…]}
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for file in fuzz/fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi

# What cargo-fuzz asks of the compiler, without a sanitizer: none of the code here is unsafe, and these flags are stable.
host=$(rustc -vV | sed -n 's/^host: //p')
flags=(-Cpasses=sancov-module)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
  flags+=("-Cllvm-args=-sanitizer-coverage-$option")
done
build=target/fuzz-build
CARGO_TARGET_DIR=$build RUSTFLAGS="${flags[*]}" \
  cargo build --locked --manifest-path fuzz/Cargo.toml --release --target "$host" --bins

# longest TARGET: how large an input may get.
longest() {
  case $1 in
    rules | config) echo 4096 ;;
    *) echo 2048 ;;
  esac
}

# dictionary TARGET: the words that mean something to it.
dictionary() {
  case $1 in
    json | splice | stream | exchange) echo json ;;
    sse) echo sse ;;
    config) echo config ;;
    rules) echo rules ;;
  esac
}

for target in "${targets[@]}"; do
  new=target/fuzz-corpus/$target
  findings=target/fuzz-findings/$target
  mkdir -p "$new" "$findings"
  words=$(dictionary "$target")
  echo "fuzz: $target for $seconds seconds" >&2
  "$build/$host/release/$target" -max_total_time="$seconds" -max_len="$(longest "$target")" -len_control=0 -timeout=120 \
    -rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="$findings/" \
    ${words:+-dict=fuzz/dictionaries/$words.dict} "$new" "fuzz/corpus/$target"
done
