.DEFAULT_GOAL := help
.PHONY: help run test real check package release smoke picture clean
# The binary runs without `cargo run`, because a cargo below that one would find another environment and rebuild.
STACK = "$${CARGO_TARGET_DIR:-target}/debug/stack"
# What the functions of all tests called.
CALLS = "$(CURDIR)/target/aws-calls"

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  make run REGISTRY=https://registry.example.com   polls that registry instead of a local one'
	@echo '  make run ONCE=1                                  stops after the first table'
	@echo '  make real ALL=1                                  asks slow registries the long questions too'

run: build ## Discover charts on this machine, until Ctrl-C
	@$(STACK) run $(if $(ONCE),--once) $(if $(REGISTRY),--registry '$(REGISTRY)')

test: build ## Run every test, and compare the AWS calls of all of them with the policies
	@tests/install tests
	@rm -f $(CALLS)
	@if cargo nextest --version >/dev/null 2>&1; \
	then TEST_AWS_CALLS=$(CALLS) $(STACK) exec cargo nextest run --workspace; \
	else TEST_AWS_CALLS=$(CALLS) $(STACK) exec cargo test --workspace --quiet; fi
	@$(STACK) rights $(CALLS)

real: build ## Run tests on other servers, real registries and adopted databases
	@tests/real/run

check: ## Check the format, the lints and the house rules
	@cargo fmt --all -- --check
	@cargo clippy --workspace --all-targets -- --deny warnings
	@cargo run --quiet --package checks

package: ## Build the release zips for Lambda into target/lambda
	@command -v cargo-lambda >/dev/null || { echo 'cargo-lambda is missing: pip install cargo-lambda' >&2; exit 1; }
	@cargo lambda build --release --output-format zip --package ecr-events --package oci-poll --package oci-events --package migrate --package tag-parser --package admin $(PACKAGE_FLAGS)

release: ## Make the zips of both architectures, their checksums and lists of what is in them
	@infra/scripts/release.py $(OPTIONS)

smoke: ## Try the installation in your AWS account, and remove it again
	@tests/install
	@target/tools/venv/bin/python infra/scripts/smoke.py $(OPTIONS)

picture: build ## Make the picture of the pages in README.md
	@tests/install tests
	@docs/images/make

clean: ## Remove everything that was built or installed here
	@cargo clean

.PHONY: build
build:
	@tests/install
	@cargo build --workspace
