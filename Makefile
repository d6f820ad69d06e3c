# The only entry for people.
.PHONY: demo up test test-full check bench docs install build
install:
	@sh scripts/install.sh
build: install
	cargo build --locked --bin pdm
demo: build
	sh scripts/demo.sh
up: build
	$${CARGO_TARGET_DIR:-target}/debug/pdm up
check:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets
test: build check
	cargo test --locked --workspace
test-full: build
	PDM_TEST_FULL=1 cargo test --locked --workspace
bench: install
	cargo build --locked --release --bin pdm --bin pdm-bench
	$${CARGO_TARGET_DIR:-target}/release/pdm-bench --json bench.json
docs:
	PDM_WRITE_DOCS=1 cargo test -p pdm-model --test generated
