# What people, the README and CI call. `make` alone lists it.
#
#   make run                       builds and starts everything on loopback
#   make run ARGS="--data ./d"     with options of `weir run`
#   make demo                      the same with a shop in front of it, and an incident under way
#   make ui                        builds the web UI, when its sources have changed
#   make ui-dev                    the web UI as one works on it, with a Weir that runs already
#   make ship                      the binary as it is packaged: small, slow to build
#   make test                      every test
#   make check                     format, lints, house rules, licences
#   make fuzz ARGS="zipkin 600"    one fuzz target for so many seconds; without ARGS, each for a minute
#   make torture ARGS=--quick      kills, power cuts, a soak with faults; without ARGS, for hours

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

ARGS ?=
comma := ,
CARGO ?= cargo
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
# A rustup toolchain that was just installed is not on PATH yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

# What the web UI is made of. Its built files go into the binary; `cargo build` alone takes what is in ui/dist.
UI_SOURCES := $(shell find ui/src ui/build ui/index.html ui/package.json ui/package-lock.json ui/vite.config.ts ui/tsconfig.json -type f 2>/dev/null)

.PHONY: help run demo ship test check bench fuzz torture ui ui-dev ui-test ui-if-can need-cargo need-check-tools need-cargo-fuzz

help:
	@echo "make run     build with the release profile and start (ARGS=\"--data DIR --config FILE\")"
	@echo "make demo    the same, with half an hour of a shop's traffic and an incident under way (ARGS=\"--speed 10\")"
	@echo "make ui      build the web UI (Node 20 or newer); run, demo and test do so by themselves"
	@echo "make ui-dev  the web UI as one works on it, on port 5173, with the Weir that runs on 4320"
	@echo "make ship    the binary as it is packaged, in target/ship: half as large, slow to build"
	@echo "make test    install what the tests need, then run all of them"
	@echo "make check   formatting, clippy, house rules, licences and bans"
	@echo "make bench   the load generator and the figures (ARGS=\"--quick\")"
	@echo "make fuzz    every fuzz target for a minute (ARGS=\"TARGET SECONDS\" for one)"
	@echo "make torture kills, power cuts and a soak, against an oracle (ARGS=\"--quick\" for minutes, not hours)"

run: need-cargo ui-if-can
	@[[ -e $(TARGET)/release/weir ]] || echo "make run: the first build compiles everything once: about 15 minutes on 2 cores, less on more" >&2
	@$(CARGO) run --release --locked --bin weir -- run $(ARGS)

demo: need-cargo ui-if-can
	@[[ -e $(TARGET)/release/weir ]] || echo "make demo: the first build compiles everything once: about 15 minutes on 2 cores, less on more" >&2
	@$(CARGO) run --release --locked --bin weir -- demo $(ARGS)

# The linker that Rust brings for x86-64 folds functions of the same code, and relocations take a bit each.
SHIP_LINK := $(if $(filter x86_64-linux,$(shell uname -m)-$(shell uname -s | tr A-Z a-z)),-Clink-arg=-Wl$(comma)--icf=all -Clink-arg=-Wl$(comma)-z$(comma)pack-relative-relocs)
ship: need-cargo ui-if-can
	@$(CARGO) rustc --locked --profile ship --bin weir -- $(SHIP_LINK)

test: need-cargo
	@tests/needs.sh
	@$(MAKE) --no-print-directory ui-if-can
	@[[ -e $(TARGET)/debug/weir ]] || echo "make test: the first build compiles everything once: about 15 minutes on 2 cores, less on more" >&2
	$(CARGO) test --workspace --locked $(ARGS)
	@$(MAKE) --no-print-directory ui-test

# Always --workspace: with another choice of packages their features differ, and everything heavy is compiled once more.
check: need-cargo need-check-tools
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --workspace --quiet --locked --test house
	@if ui/can-build; then $(MAKE) --no-print-directory ui/node_modules/.package-lock.json && cd ui && npm run --silent check; fi
	$(CARGO) deny --log-level error check bans licenses sources

ui: ui/dist/index.html
	@:

ui/dist/index.html: ui/node_modules/.package-lock.json $(UI_SOURCES)
	@cd ui && npm run --silent build

# npm's own record of what is installed.
ui/node_modules/.package-lock.json: ui/package-lock.json
	@echo "make: installing what the web UI is built with (ui/package-lock.json)" >&2
	@cd ui && npm ci --silent --no-audit --no-fund && touch node_modules/.package-lock.json

# Without Node everything else works: `/` then says how to get the UI.
ui-if-can:
	@if ui/can-build; then $(MAKE) --no-print-directory ui; fi

ui-dev: ui/node_modules/.package-lock.json
	@cd ui && npm run dev

# After the binary and the UI are built: the UI's own tests, then those in a browser.
ui-test:
	@if ui/can-build; then ui/test $(TARGET)/debug/weir; fi

bench: need-cargo
	@benches/run.sh $(ARGS)

fuzz: need-cargo need-cargo-fuzz
	@fuzz/run.sh $(ARGS)

# Debug assertions are on: the switch that fails a sync is in such builds only.
torture: need-cargo
	@$(CARGO) test --workspace --locked --test torture -- $(ARGS)

need-cargo:
	@command -v $(CARGO) >/dev/null || { \
	  echo "make: cargo is missing. Install Rust 1.95 or newer: https://rustup.rs" >&2; exit 1; }

# Every missing tool is named, then it fails: a check that did not run must not look like one that passed.
need-check-tools:
	@missing=; \
	$(CARGO) fmt --version >/dev/null 2>&1 || missing+=$$'\n  rustfmt     rustup component add rustfmt'; \
	$(CARGO) clippy --version >/dev/null 2>&1 || missing+=$$'\n  clippy      rustup component add clippy'; \
	$(CARGO) deny --version >/dev/null 2>&1 || missing+=$$'\n  cargo-deny  cargo install --locked cargo-deny'; \
	if [[ -n $$missing ]]; then echo "make check: missing on this machine:$$missing" >&2; exit 1; fi

need-cargo-fuzz:
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { \
	  echo "make fuzz: missing on this machine: cargo-fuzz  cargo install --locked cargo-fuzz" >&2; exit 1; }
