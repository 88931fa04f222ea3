# Every task of this project, each by one word. `make` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# `release` takes many minutes to link; `quick` builds nearly the same program in a third of the time, and what is tried out
# is built with it.
PROFILE ?= release
CONFIG ?= conf/gateway.yaml

VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -1)
TARGET := $(or $(CARGO_TARGET_DIR),target)
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)

.PHONY: help
help: ## List the tasks
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

run run-control demo: PROFILE = quick

.PHONY: run
run: tools ## Build the gateway and start it with CONFIG (conf/gateway.yaml)
	cargo run --locked --profile $(PROFILE) -- --config $(CONFIG)

# Folder and port of `run-control`.
CONTROL_DATA ?= airiskguard-control
CONTROL_PORT ?= 8090

.PHONY: run-control
run-control: saml-tools ## Build the policy server, SAML included, and start it; the first run prints where to make the first owner
	cargo run --locked --profile $(PROFILE) --no-default-features --features saml --bin airiskguard-policy-server -- \
		--data-dir $(CONTROL_DATA) --port $(CONTROL_PORT)

.PHONY: demo
demo: tools ## Show a redaction, a block, a stopped completion and a restored value, on loopback only
	cargo build --locked --profile $(PROFILE) --bin airiskguard-gateway
	tests/clients/demo.sh $(TARGET)/$(PROFILE)/airiskguard-gateway

.PHONY: test
test: test-tools ## Everything that must hold: format, lints, all tests, the official SDKs
	$(MAKE) fmt-check
	$(MAKE) lint
	$(MAKE) test-docs
	$(MAKE) test-quality
	$(MAKE) test-rules
	$(MAKE) test-sdks
	$(MAKE) test-k8s
	$(MAKE) test-packages
	$(MAKE) test-frontends
	$(MAKE) test-fleet
	$(MAKE) test-browser
	$(MAKE) test-api
	$(MAKE) test-all

.PHONY: test-pure
test-pure: ## Only the pure rooms, without Pingora: the quick loop while writing
ifeq ($(NEXTEST),yes)
	cargo nextest run --locked --no-default-features --lib --test architecture
else
	cargo test --locked --no-default-features --lib --test architecture
endif

.PHONY: test-docs
test-docs: ## The examples in the documentation
	cargo test --locked --workspace --doc

.PHONY: test-all
test-all: ## All tests in Rust
ifeq ($(NEXTEST),yes)
	cargo nextest run --locked --workspace --features saml --lib --bins --tests
else
	cargo test --locked --workspace --features saml --lib --bins --tests
endif

.PHONY: test-quality
test-quality: ## The measure itself, without sets and without other scanners
	python3 -B -m unittest discover --start-directory tests/quality

.PHONY: test-rules
test-rules: ## The alert rules, by Prometheus' own tool
	promtool check rules conf/prometheus-rules.yaml

# The programs as they ship, without SAML: quickly built, and what the tests with other programs drive. The whole workspace
# and an example are asked for so that dependencies get the features that tests ask of them, and are built once for all.
.PHONY: test-program
test-program: test-tools
	cargo build --locked --workspace --bins --example bare_pingora

.PHONY: test-sdks
test-sdks: test-program ## The official Python and JavaScript SDKs of both vendors through the gateway
	tests/clients/run.sh $(TARGET)/debug/airiskguard-gateway

.PHONY: test-k8s
test-k8s: test-program ## The Kubernetes files: valid, fitting together, accepted by the programs; without a cluster
	tests/k8s/run.sh $(TARGET)/debug/airiskguard-gateway $(TARGET)/debug/airiskguard-policy-server

.PHONY: test-packages
test-packages: test-program ## Debian packages and files of the images: built, installed, run, enrolled as README says
	tests/packaging/run.sh $(TARGET)/debug/airiskguard-gateway $(TARGET)/debug/airiskguard-policy-server

# Seconds in `make test`; `make test-frontends STREAM_SECONDS=180` is the long form, and takes half an hour.
STREAM_SECONDS ?= 4

.PHONY: test-frontends
test-frontends: test-program ## Three gateways behind HAProxy and Envoy: rolling restart, one killed, long streams
	tests/frontends/run.sh $(TARGET)/debug/airiskguard-gateway $(STREAM_SECONDS)

.PHONY: test-fleet
test-fleet: test-program ## A policy server on PostgreSQL and a few gateways: database and server killed, network cut, clocks wrong
	python3 -B loadtest/fleet/run.py $(TARGET)/debug/airiskguard-gateway $(TARGET)/debug/airiskguard-policy-server --short

.PHONY: test-browser
test-browser: test-program ## The dashboard in a real browser; pictures of every page in target/browser/screenshots
	tests/browser/run.sh $(TARGET)/debug/airiskguard-policy-server $(TARGET)/debug/airiskguard-gateway

# About two minutes; `API_SECONDS=600` for longer.
API_SECONDS ?= 90
.PHONY: test-api
test-api: test-program ## The policy server under whatever its API's description allows, and does not
	tests/control/schemathesis.sh $(TARGET)/debug/airiskguard-policy-server $(API_SECONDS)

.PHONY: test-clients
test-clients: ## Claude Code and Codex through the gateway, in a network namespace that has only loopback
	@.ci/install clients
	cargo build --locked --profile quick --bin airiskguard-gateway
	tests/clients/cli.sh $(TARGET)/quick/airiskguard-gateway

.PHONY: bench
bench: tools ## Throughput of the scan and the lexer, cost per streamed delta, worst cases
	cargo bench --locked

# Without FUZZ_TARGET every target runs, one after the other, each for FUZZ_SECONDS. Findings: target/fuzz-findings/.
FUZZ_SECONDS ?= 600
.PHONY: fuzz
fuzz: tools ## Fuzz with libFuzzer: FUZZ_SECONDS=600 each, FUZZ_TARGET=json for one of them
	fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_TARGET)

.PHONY: faults
faults: ## The tables of faults between gateway, provider and client, printed row by row
	cargo test --locked --test faults -- --nocapture --test-threads 1

# Peers and rounds of `bench-peers`; empty stands for all. `PART=0.1` is for trying it out.
PEERS ?=
SCENARIOS ?=
ROUNDS ?= 5
PART ?= 1
BUILT = $(TARGET)/$(PROFILE)
COMPARE = $(BUILT)/loadtest compare --gateway $(BUILT)/airiskguard-gateway --bare $(BUILT)/examples/bare_pingora \
	--installed $(TARGET)/peers --part $(PART)

.PHONY: loadtest
loadtest: tools ## Build the load test; `loadtest/README.md` says what it can do
	cargo build --locked --profile $(PROFILE) -p airiskguard-loadtest

.PHONY: bench-programs
bench-programs: tools
	cargo build --locked --profile $(PROFILE) --workspace --bin loadtest --bin airiskguard-gateway --example bare_pingora

.PHONY: bench-peers
bench-peers: bench-programs ## Measure the gateway beside PEERS in turns, print what must hold, write loadtest/RESULTS.md
	loadtest/install-peers $(PEERS)
	$(COMPARE) --peers $(PEERS) --scenarios $(SCENARIOS) --rounds $(ROUNDS) --out $(TARGET)/loadtest \
		--results loadtest/RESULTS.md

# Twenty gateways by default; `GATEWAYS=8` for fewer.
GATEWAYS ?= 20

.PHONY: fleet
fleet: tools ## Measure a fleet under one policy server: how fast changes arrive, what trouble and publishing cost
	@.ci/install test
	cargo build --locked --profile $(PROFILE) --bins
	python3 -B loadtest/fleet/run.py $(BUILT)/airiskguard-gateway $(BUILT)/airiskguard-policy-server --gateways $(GATEWAYS)
	python3 -B loadtest/fleet/run.py $(BUILT)/airiskguard-gateway $(BUILT)/airiskguard-policy-server --gateways 2 \
		--poll 1s --only cost

.PHONY: soak
soak: bench-programs ## A thousand streams for half an hour; `bench-peers` shows what came of it
	$(COMPARE) --peers airiskguard --scenarios soak --rounds 1 --out $(TARGET)/loadtest/soak

# The sets are not part of the repository. Fat LTO takes longer than the whole measurement and changes no finding.
QUALITY_SETS ?= ../shared/corpora/tune.tar.xz
QUALITY_BIN ?=

.PHONY: quality
quality: ## Measure what the rules find, and find falsely, beside other scanners; writes docs/quality.md
	@.ci/install quality
	$(if $(QUALITY_BIN),,cargo build --locked --no-default-features --features command-line --profile quality)
	python3 tests/quality/measure.py $(or $(QUALITY_BIN),$(TARGET)/quality/airiskguard-gateway) \
		--sets $(QUALITY_SETS) --folder $(TARGET)/quality-sets --install --write

.PHONY: deb
deb: deb-tools ## Build the Debian packages of gateway and policy server into target/debian
	cargo build --locked --profile $(PROFILE) --bin airiskguard-gateway
	cargo build --locked --profile $(PROFILE) --no-default-features --features saml --bin airiskguard-policy-server
	mkdir -p $(TARGET)/debian
	packaging/debian/build.sh $(TARGET)/$(PROFILE)/airiskguard-gateway $(TARGET)/debian
	packaging/debian/build.sh $(TARGET)/$(PROFILE)/airiskguard-policy-server $(TARGET)/debian

.PHONY: image
image: ## Build the container images of gateway and policy server with docker
	docker build --target gateway --tag airiskguard-gateway:$(VERSION) .
	docker build --target policy-server --tag airiskguard-policy-server:$(VERSION) .

.PHONY: k8s
k8s: ## Write the alert rules of conf/k8s from conf/prometheus-rules.yaml
	python3 -B tests/k8s/write_rules.py

.PHONY: docs
docs: ## Write the generated parts of docs/rules.md and docs/siem.md
	UPDATE_DOCS=yes cargo test --locked --no-default-features --test rules
	UPDATE_DOCS=yes cargo test --locked --no-default-features --features audit --test siem document

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: fmt-check
fmt-check:
	cargo fmt --all --check

# What ships is held to the bans of clippy.toml; test code allows itself those in its first lines.
.PHONY: lint
lint: ## Lints, warnings being errors; the pure rooms also without Pingora
	@cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
	cargo clippy --locked --no-default-features --lib -- -D warnings
	cargo clippy --locked --workspace --lib --bins --example bare_pingora -- -D warnings
	cargo clippy --locked --workspace --features saml,kafka,otlp --all-targets -- -D warnings

.PHONY: tools
tools:
	@.ci/install build

.PHONY: saml-tools
saml-tools:
	@.ci/install saml

.PHONY: deb-tools
deb-tools:
	@.ci/install deb

.PHONY: test-tools
test-tools:
	@.ci/install test
