//! The system tests live in `tests/`, one file a topic. They start real processes through `pdm-harness` and see what a
//! client and a resolver see. `make test` runs a bounded sample; `make test-full` sets `PDM_TEST_FULL=1`.
