# The commands a person needs. `make demo` and `make test` do all their own set-up.
# Rust and Node are needed; everything else is fetched by their ordinary clients and by apt.

SHELL := /bin/bash
WEB := dashboards/web
# One build folder for all, so that binaries are found where they are made.
export CARGO_TARGET_DIR := $(CURDIR)/target

.PHONY: help demo test bench screenshots web build browser-test fuzz clean-demo

help:
	@echo 'make demo         build and run everything with a simulated district; prints address and login'
	@echo 'make test         every check that CI runs'
	@echo 'make bench        measurements, side by side with a peer where there is one'
	@echo 'make screenshots  draw docs/images anew from a running demonstration'
	@echo 'make fuzz         each parser for FUZZ_SECONDS (default 30)'

need-rust:
	@command -v cargo >/dev/null || { echo 'missing: Rust (cargo). Install the toolchain named in rust-toolchain.toml.'; exit 1; }
need-node:
	@command -v npm >/dev/null || { echo 'missing: Node.js 20.19 or newer with npm.'; exit 1; }

# npm ci only when the lock file changed, the page only when its sources did.
$(WEB)/node_modules/.installed: $(WEB)/package-lock.json
	@echo 'web: installing packages'
	@cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@
$(WEB)/dist/index.html: $(WEB)/node_modules/.installed $(shell find $(WEB)/src $(WEB)/public $(WEB)/index.html $(WEB)/vite.config.ts -type f 2>/dev/null)
	@echo 'web: building the page'
	@cd $(WEB) && npm run build
web: need-node $(WEB)/dist/index.html

build: need-rust web
	@cargo build --release --locked --bins

demo: need-rust need-node
	@$(MAKE) -s build
	@exec target/release/stage demo

test: need-rust need-node
	@cargo xtask ci

browser-test: need-node web
	@cargo build -q --locked --bins
	@target/debug/stage browser

screenshots: need-node build
	@cargo xtask tools
	@target/release/stage screenshots

bench: need-rust need-node
	@cargo xtask tools
	@$(MAKE) -s build
	@target/release/stage bench
	@target/release/stage bench-edge
	@cargo bench -q --locked -p lantian-ingest -p lantian-rules -p lantian-protocol
	@cd protocol/peer && cargo run -q --release --locked

# Each fuzz target from its corpus, as many at a time as there are processors; installs cargo-fuzz when it is missing.
# FUZZ_TARGETS="hj212_frame mqtt_front" for some of them.
FUZZ_SECONDS ?= 30
fuzz: need-rust
	@cargo xtask fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)
