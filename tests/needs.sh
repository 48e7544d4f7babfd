#!/usr/bin/env bash
# Installs what the tests need and this machine lacks. Says nothing when nothing is missing.
#
#   cc                a C compiler: SQLite, zstd and mimalloc are compiled in
#   mkfs.ext4, mount  the power-cut test's file system, which is run as root only
#   python3 + venv    the OpenTelemetry SDK as a client (tests/requirements.txt), when that file is there
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()
command -v cc >/dev/null || packages+=(gcc libc6-dev)
if [[ $(id -u) == 0 ]]; then
  command -v mkfs.ext4 >/dev/null || packages+=(e2fsprogs)
  command -v mount >/dev/null || packages+=(mount)
fi
if [[ -f tests/requirements.txt ]]; then
  python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3 python3-venv)
fi

if ((${#packages[@]} > 0)); then
  as_root=()
  if [[ $(id -u) != 0 ]]; then
    if ! sudo -n true 2>/dev/null; then
      echo "make test: please install (needs root): ${packages[*]}" >&2
      exit 1
    fi
    as_root=(sudo -n)
  fi
  if ! command -v apt-get >/dev/null; then
    echo "make test: no apt-get here; please install the equivalents of: ${packages[*]}" >&2
    exit 1
  fi
  echo "make test: installing ${packages[*]}"
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}"; } \
    >"$log" 2>&1; then
    cat "$log" >&2
    echo "make test: could not install ${packages[*]}" >&2
    exit 1
  fi
  rm -f "$log"
fi

if [[ -f tests/requirements.txt ]]; then
  venv=${CARGO_TARGET_DIR:-target}/test-venv
  # Installed again when the list changes.
  if ! cmp -s tests/requirements.txt "$venv/requirements.txt"; then
    echo "make test: installing tests/requirements.txt into $venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/requirements.txt
    cp tests/requirements.txt "$venv/requirements.txt"
  fi
fi
