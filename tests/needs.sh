#!/usr/bin/env bash
# Installs what the tests need and this machine lacks. Says nothing when nothing is missing.
#
#   cc                a C compiler: SQLite, zstd and mimalloc are compiled in; without it there is no test run
#   mkfs.ext4, mount  the power-cut test's file system, which is run as root only
#   python3 + venv    the OpenTelemetry SDK as a client, DuckDB as a reader (tests/requirements.txt)
#                     deltalake, Polars and another DuckDB as readers of tables (tests/requirements-tables.txt)
#   versitygw         a real S3 server for the archive's store, when go is there
#   node + npm        the same client for JavaScript (tests/package.json), and the web UI, when node is there: it is not installed
#   chromium          the web UI's tests in a browser, when node is there
#   alertmanager      Prometheus', which alerts are sent to
#
# What cannot be had (no network, no root) is said; except for cc the other tests run all the same.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

say() { echo "make test: $*" >&2; }

# install PACKAGE...: false, and the reason, when they cannot be had.
install() {
  local as_root=() log
  if [[ $(id -u) != 0 ]]; then
    if ! sudo -n true 2>/dev/null; then
      say "please install (needs root): $*"
      return 1
    fi
    as_root=(sudo -n)
  fi
  if ! command -v apt-get >/dev/null; then
    say "no apt-get here; please install the equivalents of: $*"
    return 1
  fi
  say "installing $*"
  log=$(mktemp)
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive timeout --kill-after=10 300 apt-get -qq -o DPkg::Lock::Timeout=120)
  if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    say "could not install $*"
    return 1
  fi
  rm -f "$log"
}

# sdk PYTHON: whether it has what tests/e2e/sdk.py and tests/e2e/duckdb_asks.py import.
sdk() {
  "$1" -c 'import duckdb, elasticsearch, logging_loki, opentelemetry.sdk, opentelemetry.exporter.otlp.proto.grpc.trace_exporter, opentelemetry.exporter.otlp.proto.http.trace_exporter' 2>/dev/null
}

command -v cc >/dev/null || install gcc libc6-dev

command -v prometheus-alertmanager >/dev/null || install prometheus-alertmanager || say "alerts are not sent to a real Alertmanager"

if [[ $(id -u) == 0 ]]; then
  packages=()
  command -v mkfs.ext4 >/dev/null || packages+=(e2fsprogs)
  command -v mount >/dev/null || packages+=(mount)
  ((${#packages[@]} == 0)) || install "${packages[@]}" || say "the power-cut tests do not run"
fi

if [[ -f tests/requirements.txt ]]; then
  venv=${CARGO_TARGET_DIR:-target}/test-venv
  # Installed again when the list changes, or when the Python that it was made with is gone.
  if ! cmp -s tests/requirements.txt "$venv/requirements.txt" || ! sdk "$venv/bin/python3"; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || install python3 python3-venv || true
    say "installing tests/requirements.txt into $venv"
    if python3 -m venv --clear "$venv" &&
      timeout --kill-after=10 300 "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input -r tests/requirements.txt; then
      cp tests/requirements.txt "$venv/requirements.txt"
    else
      say "no OpenTelemetry SDK and no DuckDB for Python: the tests that use them do not run"
    fi
  fi
fi

if [[ -f tests/requirements-tables.txt ]]; then
  venv=${CARGO_TARGET_DIR:-target}/test-venv-tables
  if ! cmp -s tests/requirements-tables.txt "$venv/requirements.txt" || ! "$venv/bin/python3" -c 'import deltalake, duckdb_extension_delta, polars' 2>/dev/null; then
    say "installing tests/requirements-tables.txt into $venv"
    if python3 -m venv --clear "$venv" &&
      timeout --kill-after=10 300 "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input -r tests/requirements-tables.txt; then
      cp tests/requirements-tables.txt "$venv/requirements.txt"
    else
      say "no deltalake, Polars and DuckDB for tables: what others read of them is not tested"
    fi
  fi
fi

if command -v go >/dev/null; then
  mkdir -p "${CARGO_TARGET_DIR:-target}/test-bin"
  bin=$(cd "${CARGO_TARGET_DIR:-target}/test-bin" && pwd)
  if [[ ! -x $bin/versitygw ]]; then
    say "installing versitygw into $bin"
    GOBIN=$bin GOFLAGS= timeout --kill-after=10 600 go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 >/dev/null 2>&1 ||
      say "no versitygw: the archive's store is tested without a real S3 server"
  fi
fi

if [[ -f tests/package.json ]] && command -v node >/dev/null && command -v npm >/dev/null; then
  modules=${CARGO_TARGET_DIR:-target}/test-npm
  if ! cmp -s tests/package.json "$modules/package.json" || [[ ! -d $modules/node_modules ]]; then
    say "installing tests/package.json into $modules"
    rm -rf "$modules" && mkdir -p "$modules" && cp tests/package.json "$modules/"
    if ! timeout --kill-after=10 300 npm install --prefix "$modules" --silent --no-audit --no-fund --ignore-scripts >/dev/null 2>&1; then
      rm -rf "$modules"
      say "no OpenTelemetry SDK for JavaScript: the test that sends with it does not run"
    fi
  fi
fi

if command -v node >/dev/null && command -v npm >/dev/null; then
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
    install chromium || say "the web UI's tests in a browser do not run"
fi
