#!/usr/bin/env bash
# Runs fuzz targets on stable Rust. `make fuzz` calls it.
#
#   fuzz/run.sh                    every target, a minute each
#   fuzz/run.sh zipkin 600         one target, ten minutes
#
# What it finds on the way goes to fuzz/found (not checked in), what breaks a target to fuzz/artifacts: minimise it
# (`cargo fuzz tmin -s none TARGET FILE`), put it into fuzz/corpora/TARGET under a name that says what it is, and `make test` keeps it.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-all}
seconds=${2:-60}
# Many small files that are synced: in memory, where there is some.
if [[ -d /dev/shm ]]; then export TMPDIR=/dev/shm; fi

targets=$target
if [[ $target == all ]]; then targets=$(cargo fuzz list); fi
for each in $targets; do
  features=()
  # Store and query take long to build: only for the targets that need them.
  case $each in
    journal_recovery | segment_footer | chunk) features=(--no-default-features --features store) ;;
    sql_guard | promql | logql | rules) ;;
    *) features=(--no-default-features) ;;
  esac
  mkdir -p "fuzz/found/$each"
  cargo fuzz run -s none "${features[@]}" "$each" "fuzz/found/$each" "fuzz/corpora/$each" -- \
    -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
done
