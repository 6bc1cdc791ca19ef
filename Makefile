# Stratum: set up, try, check and test. `make help` lists the targets.
#
# Needs python3 (3.11 or newer, with venv), make, a C compiler and cargo; everything else is
# installed into .venv, at the versions of requirements.lock.

SHELL = /bin/sh
PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
CRATE = rust_exec
DISTRIBUTION = mcp-server-stratum

# `make demo DATA=table.csv TARGET=price`
DATA =
TARGET =
DEMO_FLAGS = $(if $(DATA),--data "$(DATA)") $(if $(TARGET),--target "$(TARGET)")

# Other systems that `make bench` compares with, each in an environment of its own; without them
# they are reported as not installed.
UPSTREAM = .venv-upstream
SKLEARNEX = .venv-sklearnex
BOOSTERS = $(shell grep -E '^(lightgbm|xgboost)==' requirements.lock)
# `make bench BENCH_FLAGS="--workloads linear_sweep"`
BENCH_FLAGS =

PYTEST_FLAGS =
# The kernels are tested without the Python boundary, which would have to link Python's shared
# library, and not every Python has one; the boundary is tested from Python.
CARGO_TEST_FLAGS = --no-default-features

# An extension module does not link Python, so that none for aarch64 is needed.
ARM = PYO3_BUILD_EXTENSION_MODULE=1 PYO3_CROSS_PYTHON_VERSION=3.11 \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"

# Stamps record what was done, so that a repeated `make setup` does nothing.
VENV_STAMP = $(VENV)/.stamp-venv
LOCK_STAMP = $(VENV)/.stamp-lock
NATIVE_STAMP = $(VENV)/.stamp-native
RUST_SOURCES = $(shell find $(CRATE) -name target -prune -o -type f \
	\( -name '*.rs' -o -name 'Cargo.*' -o -name rust-toolchain.toml \) -print)

# One interpreter for maturin and for bare cargo, so that they share what they build. maturin
# refuses to choose between a conda and a virtual environment.
export VIRTUAL_ENV = $(CURDIR)/$(VENV)
export PYO3_PYTHON = $(VIRTUAL_ENV)/bin/python
unexport CONDA_PREFIX

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-slow check bench bench-smoke bench-kernels bench-equivalence bench-clients bench-planner bench-estimates evals-upstream evals-sklearnex portable-check portable-check-arm wheel lock clean distclean \
	preflight preflight-check

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

setup: preflight $(NATIVE_STAMP) ## create .venv with the locked dependencies and the built kernels

demo: setup ## run the demo; DATA=table.csv TARGET=column for data of your own
	$(BIN)/python -m mcp_server.demo $(DEMO_FLAGS)

test: setup ## run the Rust tests, then the Python tests
	cd $(CRATE) && cargo test $(CARGO_TEST_FLAGS)
	$(BIN)/python -m pytest -q -m "not slow or wheel" $(PYTEST_FLAGS)

test-slow: setup ## run the slow tests
	$(BIN)/python -m pytest -q -m slow --timeout=1800 $(PYTEST_FLAGS)

check: preflight-check setup ## lint, check formats, types and the import rule
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd $(CRATE) && cargo fmt --check
	cd $(CRATE) && cargo clippy --all-targets -- -D warnings

bench: setup ## measure all workloads (25 minutes) and rewrite docs/benchmarks.md
	$(BIN)/python -m evals.bench --report build/bench --docs docs/benchmarks.md \
		--allow-wrong upstream,sklearnex $(BENCH_FLAGS)

bench-smoke: setup ## measure all workloads, small (2 minutes)
	$(BIN)/python -m evals.bench --smoke --report build/bench-smoke $(BENCH_FLAGS)

# With `BENCH_FLAGS="--only linear"` nothing is written to the page.
bench-kernels: setup ## measure the kernels against libraries and the machine (12 minutes); writes docs
	$(BIN)/python -m evals.kernels --json build/bench/kernels.json \
		$(if $(BENCH_FLAGS),$(BENCH_FLAGS),--docs docs/benchmarks.md)

bench-equivalence: setup ## whether kernels of statistical fidelity score as the libraries (over an hour)
	$(BIN)/python -m evals.equivalence --json build/equivalence.json $(BENCH_FLAGS)

bench-clients: setup ## several clients of one server at once: what they cost, how long they wait
	$(BIN)/python -m evals.clients --json build/clients.json $(BENCH_FLAGS)

bench-planner: setup ## how long planning 1,000 to 10,000 pipelines takes
	$(BIN)/python -m evals.planner_bench --json build/planner.json $(BENCH_FLAGS)

bench-estimates: setup ## how good the cost model's estimates are on the workloads
	$(BIN)/python -m evals.estimates --json build/estimates.json $(BENCH_FLAGS)

evals-upstream: preflight ## install stratum-ai, the paper's prototype, for `make bench`
	$(PYTHON) -m venv --clear $(UPSTREAM)
	$(UPSTREAM)/bin/python -m pip install --quiet 'stratum-ai==0.0.0.dev2' 'pandas==3.0.2' \
		'skrub==0.8.0' 'joblib<1.6' $(BOOSTERS)

evals-sklearnex: preflight ## install scikit-learn-intelex and Polars for the benchmarks
	$(PYTHON) -m venv --clear $(SKLEARNEX)
	$(SKLEARNEX)/bin/python -m pip install --quiet --constraint requirements.lock \
		scikit-learn-intelex polars numpy pandas pyarrow scikit-learn lightgbm xgboost skrub

portable-check: setup ## run the kernels on an emulated x86-64-v2 processor (needs qemu-user)
	$(BIN)/python -m pytest -q -rs -m slow tests/rust_exec/test_old_processor.py $(PYTEST_FLAGS)

# Needs `rustup target add aarch64-unknown-linux-gnu` and Debian's gcc-aarch64-linux-gnu, qemu-user.
portable-check-arm: preflight ## build the kernels for aarch64 and run their Rust tests, emulated
	cd $(CRATE) && $(ARM) cargo build --release --lib --target aarch64-unknown-linux-gnu
	cd $(CRATE) && $(ARM) cargo test $(CARGO_TEST_FLAGS) --target aarch64-unknown-linux-gnu

wheel: setup ## build the wheel into dist/
	$(BIN)/maturin build --release --out dist

# To move a dependency: .venv/bin/python -m pip install 'name==version', make lock, make test.
lock: setup ## write the versions installed in .venv to requirements.lock
	$(BIN)/python -m pip freeze --exclude $(DISTRIBUTION) >requirements.lock.new
	@if grep -v '^[A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]*$$' requirements.lock.new; then \
		echo "stratum: the lines above are not installed from a release; lock unchanged" >&2; \
		rm requirements.lock.new; exit 1; fi
	mv requirements.lock.new requirements.lock

clean: ## remove builds and caches
	rm -rf dist build $(CRATE)/target $(CRATE)/*.so $(NATIVE_STAMP) \
		.hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name $(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf $(VENV) $(UPSTREAM) $(SKLEARNEX)

preflight:
	@PYTHON="$(PYTHON)" sh scripts/preflight.sh setup

preflight-check:
	@PYTHON="$(PYTHON)" sh scripts/preflight.sh check

# An environment that works is kept; what an interrupted run left behind is replaced.
$(VENV_STAMP): | preflight
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@touch $@

# The collective GPU library that xgboost asks for has Linux builds only.
$(LOCK_STAMP): requirements.lock $(VENV_STAMP)
	@echo "Installing the locked dependencies (a few minutes the first time) ..."
	@case "$$(uname -s)" in Linux) skip='^$$' ;; *) skip='^nvidia-' ;; esac; \
		grep -v "$$skip" requirements.lock >$(VENV)/requirements.txt
	$(BIN)/python -m pip install --quiet -r $(VENV)/requirements.txt
	@touch $@

$(NATIVE_STAMP): $(LOCK_STAMP) pyproject.toml $(RUST_SOURCES)
	PIP_QUIET=1 $(BIN)/maturin develop --release
	@touch $@
