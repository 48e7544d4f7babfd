#!/usr/bin/env bash
# Builds what is measured with the release profile, then measures. `make bench` calls it.
#
#   benches/run.sh                          every figure (some ten minutes)
#   benches/run.sh cpu latency              some of them; --help lists all
#   benches/run.sh --quick                  everything short: to see that it works, not to measure
#   benches/run.sh restart --journal-gib 10
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked --package weir --package weir-benches
exec "${CARGO_TARGET_DIR:-target}/release/figures" --folder "${CARGO_TARGET_DIR:-target}" "$@"
