# make demo     buy three proved predictions on a local chain and re-check everything
# make test     run the tests (installs what is missing first)
# make native   build the native prover for this machine (needs Rust)
# make wheel    build a wheel that holds the native prover for every machine of this kind
# make serve    run a gateway on a local chain, with the three models
# make versions  install the lowest and the newest allowed dependencies, and try each
# make imports  install scikit-learn, XGBoost, LightGBM and CatBoost apart, and try importing
# make check    format, lint, types, layers, contract tests, gas
# make test-native  run the tests of the Rust crates
# make mutants  MUTANTS='--re check_bits' change what checks proofs, place by place, and run the tests on each; all: days
# make evidence look for what private proofs give away, and write evidence.json; some minutes
# make kill     kill real processes at every step boundary and at random; about 23 minutes
# make soak     JOBS=10000 paid and proven jobs while processes are killed and the chain fails;
#               ESCROW=200: orders of the escrow and two nodes in their place
# make bench    measure, and write bench/RESULTS.md and its plots; PEERS=all: ezkl on every model;
#               SHAPE_SECONDS=1200 for random shapes, taken up by the next run
# make corpus   try the models of tests/corpus, as common tools export them; FAMILIES="sklearn boosting"
# make zoo      train the three models again

PY := .venv/bin/python
BIN := .venv/bin

# Crates whose code is another one where the machine has wider vectors.
IN_LANES := int8 sumcheck commitment hiding lookup claim-reduction

# Hundreds of processes start in a test run: what Python compiled, it keeps for the next.
unexport PYTHONDONTWRITEBYTECODE

# NumPy starts a thread for each core in every process, and no test needs one.
test test-slow: export OPENBLAS_NUM_THREADS = 1

.DEFAULT_GOAL := help
.PHONY: help bootstrap demo native wheel test test-slow test-native mutants evidence versions imports kill soak serve check fix bench corpus zoo clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

bootstrap:
	@scripts/bootstrap.sh tools

demo: bootstrap
	@$(BIN)/inferproof demo

native:
	@scripts/bootstrap.sh native

wheel:
	@scripts/bootstrap.sh python
	@$(PY) scripts/native.py --all
	@PATH="$$PATH:$(CURDIR)/.tools/bin" INFERPROOF_NATIVE_WHEEL=1 uv build --wheel --out-dir dist

serve: bootstrap
	@$(BIN)/inferproof devnet serve

test:
	@scripts/bootstrap.sh js
	@$(BIN)/pytest -n 2 --dist worksteal -m "not slow" -q

test-slow:
	@scripts/bootstrap.sh js
	@$(BIN)/pytest -n 2 --dist worksteal -m slow -q

test-native:
	@scripts/rust.sh test --locked --workspace
	@RUSTFLAGS="-C target-cpu=native" scripts/rust.sh test --locked $(addprefix --package inferproof-,$(IN_LANES)) --target-dir target/native

mutants:
	@cargo mutants --version >/dev/null 2>&1 || { \
	  echo 'make mutants needs cargo-mutants: cargo install cargo-mutants --locked --version 27.1.0' >&2; exit 1; }
	@scripts/rust.sh mutants --in-place --output target $(MUTANTS)

evidence:
	@scripts/bootstrap.sh python
	@$(PY) scripts/evidence.py

versions:
	@scripts/versions.sh

imports:
	@scripts/imports.sh

kill: bootstrap
	@PYTHONPATH=tests/suites:tests $(PY) tests/kill/run.py $(KILL)

check: bootstrap
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PY) scripts/rust_circles.py
	@scripts/rust.sh fmt --check
	@scripts/rust.sh clippy --locked --workspace --all-targets -- -D warnings
	$(MAKE) -C contracts test
	$(PY) -m bench.gas

fix: bootstrap
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

soak: bootstrap
	@$(PY) -m bench.soak

bench: bootstrap
	@$(PY) bench/run.py $(if $(PEERS),--peers '$(PEERS)') \
	  $(if $(PEER_SECONDS),--peer-seconds $(PEER_SECONDS)) $(if $(PEER_GB),--peer-gb $(PEER_GB))
	@$(PY) -m bench.shapes $(if $(SHAPE_SECONDS),--seconds $(SHAPE_SECONDS)) || test $$? -eq 2

corpus: bootstrap
	@scripts/bootstrap.sh corpus "$(FAMILIES)"
	@.tools/corpus/bin/python tests/corpus/make.py .tools/corpus/models $(FAMILIES)
	@$(PY) tests/corpus/run.py .tools/corpus/models $(FAMILIES) --jobs $(or $(JOBS),1)

zoo: bootstrap
	@$(PY) -m zoo.train_all

clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .inferproof contracts/out contracts/cache
