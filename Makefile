# The only entry for people. Everything works on a Debian 12 machine with a Rust toolchain, git and make.
TARGET := $${CARGO_TARGET_DIR:-target}
# What builds everything once would keep gigabytes for building it again; cargo by hand does.
export CARGO_INCREMENTAL ?= 0
.PHONY: help install build demo demo-failover demo-certificate demo-move up check test test-full bench docs

help:
	@echo 'make demo       one name from reservation to quarantine, explained'
	@echo 'make demo-failover  two regions, one of them dies: what each nameserver answers, live'
	@echo 'make demo-certificate  a wildcard certificate through the PowerDNS door'
	@echo 'make demo-move  a signed domain moves to us and back, a resolver asking all the time'
	@echo 'make up         leave a daemon running'
	@echo 'make check      formatting and lints'
	@echo 'make test       every test; the long ones as a bounded sample'
	@echo 'make test-full  every test at full length'
	@echo 'make bench      figures, beside those of raw PowerDNS'
	@echo 'make docs       write the generated reference pages again'

install:
	@sh scripts/install.sh
	@sh scripts/powerdns.sh
	@sh scripts/npm.sh
	@sh scripts/python.sh
	@sh scripts/rvault.sh

build: install
	cargo build --locked --bin pdm

demo: build
	sh scripts/demo.sh

demo-failover: build
	sh scripts/demo-failover.sh

demo-certificate: build
	sh scripts/demo-certificate.sh

demo-move: build
	cargo test --locked -p pdm-system-tests --test moves a_signed_domain -- --nocapture

up: build
	$(TARGET)/debug/pdm up

check: install
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --offline check bans licenses sources; fi

test: check
	sh scripts/test.sh

test-full: export PDM_TEST_FULL = 1
test-full: check
	sh scripts/test.sh

bench: install
	cargo build --locked --release --bin pdm --bin pdm-bench
	$(TARGET)/release/pdm-bench --json bench.json

docs:
	PDM_WRITE_DOCS=1 cargo test --locked -p pdm-model --test generated
	PDM_WRITE_DOCS=1 cargo test --locked -p pdm-dnssec --test rolls the_page
	PDM_WRITE_DOCS=1 cargo test --locked -p pdm-adapters --test registrars page
	PDM_WRITE_DOCS=1 cargo test --locked -p pdm-auditor --lib the_pages_are
	PDM_WRITE_DOCS=1 cargo test --locked -p pdm-lua-records --test golden
	PDM_WRITE_DOCS=1 cargo test --locked -p pool-domain-manager the_definitions_are
	PDM_WRITE_DOCS=1 cargo test --locked -p pdm-system-tests --test deploy the_alerts_are
