# Thin doors. What they need beyond rustup, a C toolchain and apt, .ci/setup
# installs: tools into $UNDERTONE_TOOLS, outside the tree, one folder a version;
# Chromium and its driver through apt. What is there already is used.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

export UNDERTONE_TOOLS ?= $(HOME)/.cache/undertone/tools
# wasm-bindgen's two halves must be of one version, and the lock file names it.
export WASM_BINDGEN := $(shell awk '/^name = "wasm-bindgen"$$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)
export TRUNK := 0.21.14
export BINARYEN := 132.0.0

tools := $(UNDERTONE_TOOLS)
export PATH := $(tools)/wasm-bindgen-$(WASM_BINDGEN)/bin:$(tools)/trunk-$(TRUNK)/bin:$(tools)/wasm-opt-$(BINARYEN)/bin:$(tools)/bin:$(HOME)/.cargo/bin:$(PATH)

# trunk 0.21 reads it as "true" or "false" and stops at the usual "1".
unexport NO_COLOR

address ?= 127.0.0.1
port ?= 8080
CORPORA ?= ../shared/corpora

target := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
# Where the native parity test leaves what the wasm one compares with.
parity := $(target)/parity.json

# What the page is built from; a finished dist/ is left alone until it changes.
page_sources := $(shell find src public style index.html Trunk.toml Cargo.toml Cargo.lock .cargo .ci/relaxed -type f 2>/dev/null)

.PHONY: help serve dist test test-native test-wasm test-e2e lint bench train clean need-rust need-page need-browser

help: ## list the doors
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: need-page ## build the release page and serve it on http://127.0.0.1:8080
	@echo "Building the page; it will be at http://$(address):$(port)/ (Ctrl-C ends it)"
	@trunk serve --release --offline --no-autoreload --address $(address) --port $(port)

dist: need-page dist/index.html ## build dist/, which any static host serves from any path

dist/index.html: $(page_sources)
	trunk build --release --offline
	@touch $@

test: test-native test-wasm test-e2e ## run every test: native, wasm in Chromium, end to end

test-native: need-rust ## run the native tests
	UNDERTONE_PARITY=$(parity) cargo test --all-features --no-fail-fast

# The native half always runs just before, so that the wasm half can never
# compare with a stale file.
test-wasm: need-page need-browser ## compare wasm in headless Chromium with native
	UNDERTONE_PARITY=$(parity) cargo test --all-features --test parity
	UNDERTONE_PARITY=$(parity) CHROMEDRIVER="$${CHROMEDRIVER:-$$(command -v chromedriver)}" \
		cargo test --target wasm32-unknown-unknown --test parity --test products
	CHROMEDRIVER="$${CHROMEDRIVER:-$$(command -v chromedriver)}" .ci/relaxed --test products

test-e2e: dist need-browser ## drive the real dist/ in headless Chromium
	UNDERTONE_DIST=$(CURDIR)/dist cargo test --all-features --test e2e -- --ignored --test-threads=1

lint: need-rust ## check formatting and lints, native and wasm
	cargo fmt --check
	cargo clippy --all-features --all-targets -- -D warnings
	cargo clippy --features page --target wasm32-unknown-unknown -- -D warnings
	.ci/relaxed --lint

bench: dist need-browser ## measure beside the peers, in one run
	bench/run

train: need-rust ## train lstm as it is shipped on CORPORA=folder (default ../shared/corpora)
	cargo run --release --features cli -- train --corpora $(CORPORA) --model lstm \
		--protocol speaker-independent --out public/model/lstm.safetensors

clean: ## remove what was built in the tree
	cargo clean
	rm -rf dist

need-rust:
	@.ci/setup rust

need-page:
	@.ci/setup rust page

need-browser:
	@.ci/setup browser
