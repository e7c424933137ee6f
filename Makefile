# What a developer does, each in one word. `make` alone says what there is.

PYTHON ?= $(shell for python in python3.11 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
STAMP := .venv/.installed
WORKERS ?= 2
TESTS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-flower torture lint docs build wheel-test bench own-data clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP)  ## make .venv with the command gossamer and all that a developer needs

$(STAMP): pyproject.toml lock.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with make PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint lock.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --constraint lock.txt --no-deps torch-fidelity opacus
	touch $@

demo: $(STAMP)  ## two methods on small digits: runs/demo and runs/demo-dp-mixture, in under three minutes
	$(BIN)/gossamer demo

test: $(STAMP)  ## all tests and doctests but the slow ones; TESTS=tests/privacy for a part
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --durations=20 -m "not slow" $(TESTS)

test-slow: $(STAMP)  ## the tests that take minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow $(TESTS)

test-flower: .venv-flower/.installed  ## training between sites by Flower, in an environment of its own: minutes
	OMP_NUM_THREADS=1 .venv-flower/bin/python -m pytest tests/driving/test_flower.py

.venv-flower/.installed: pyproject.toml lock-federated.txt
	test -x .venv-flower/bin/python || $(PYTHON) -m venv .venv-flower
	.venv-flower/bin/python -m pip install --quiet --constraint lock-federated.txt --editable '.[federated,evaluate]' pytest hypothesis
	touch $@

torture: $(STAMP)  ## trainings killed at every place and resumed, disks filled up: minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist load --durations=10 tests/torture

lint: $(STAMP)  ## ruff, pyrefly, the layers of the house, and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check
	$(BIN)/lint-imports --no-cache
	$(BIN)/hadolint Dockerfile

docs: $(STAMP)  ## the documentation as pages, in build/docs; every warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs

build: $(STAMP)  ## wheel and sdist in dist/, checked as an index would
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*

wheel-test: build  ## the wheel, alone in an empty environment, trains and samples; minutes
	GOSSAMER_DIST=$(CURDIR)/dist OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow tests/packaging/test_wheel.py

bench: $(STAMP)  ## speed and memory beside those of others, in under five minutes; BEFORE=src of a build
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench.py $(if $(BEFORE),--before $(BEFORE))

own-data: $(STAMP)  ## all methods on data of one's own, in runs/own-data: twenty minutes, goes on if interrupted
	$(BIN)/python benchmarks/own_data.py runs/own-data

clean:  ## remove caches, builds and the demo; .venv and other runs stay
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache runs/demo runs/demo-dp-mixture
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +
