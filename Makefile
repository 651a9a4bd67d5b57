# Needs Python 3.11 or newer; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := .venv/bin/pytest -n 2 --dist worksteal
UV := $(shell command -v uv 2>/dev/null)
INSTALL := $(if $(UV),uv pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet)

DEMO := qmix spread --seeds 8 --steps 600000
DEMO_RUN := runs/demo_$(shell date +%Y-%m-%d_%H%M%S)

.PHONY: help demo test quick nightly faults lint format bench-machine bench-environments bench-training bench-learning bench-worlds bench-operators bench-xuance clean

help:  ## what there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

demo: .venv/installed  ## train a team on several seeds, a minute or two; ends with its curve and a film
	$(BIN)/covey train $(DEMO) --out $(DEMO_RUN)
	$(BIN)/covey watch $(DEMO_RUN)

test: .venv/installed-test  ## the tests that every change must pass, in about ten minutes
	$(PYTEST) -m "not nightly"

quick: .venv/installed-test  ## the tests that take seconds: the loop while you write
	$(PYTEST) -m "not slow and not nightly"

nightly: .venv/installed-test  ## all tests: full products of algorithms and worlds, kills, long learning
	$(PYTEST)

faults: .venv/installed-test  ## plant twelve faults, one at a time, and see that the quick tests catch them
	$(BIN)/python -m benchmarks.faults_in_covey

lint: .venv/installed-lint  ## style, format, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

format: .venv/installed-lint
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench-machine: .venv/installed  ## this machine's matmul rate
	$(BIN)/python -m benchmarks.machine

bench-environments: .venv/installed-bench  ## worlds alone, particle worlds beside JaxMARL's
	$(BIN)/python -m benchmarks.environments

bench-training: .venv/installed  ## QMIX and VDN on spread, against the machine's matmul rate
	$(BIN)/python -m benchmarks.training

bench-learning: .venv/installed  ## QMIX and VDN on spread to 2 M steps: returns, seconds, curves
	$(BIN)/python -m benchmarks.learning --picture docs/pictures/spread-curve.png

bench-worlds: .venv/installed  ## QMIX, VDN, IQL in the other particle worlds: returns, curves
	$(BIN)/python -m benchmarks.learning --worlds speaker_listener reference tag pursuit \
		--algorithms qmix vdn iql --seeds 6 --steps 600000 --eval-episodes 100 \
		--picture docs/pictures/worlds-curves.png

bench-operators: .venv/installed  ## how often each operator's projection is right, over random games
	$(BIN)/python -m benchmarks.operators --picture docs/pictures/lab-theorem.png

bench-xuance: .venv/installed  ## QMIX on spread beside XuanCe, which gets an environment of its own
	$(BIN)/python -m benchmarks.peers.xuance

clean:
	rm -rf .venv benchmarks/.venvs

.venv/bin/python:
	$(if $(UV),uv venv --quiet --python $(PYTHON) .venv,$(PYTHON) -m venv .venv)

.venv/installed: pyproject.toml | .venv/bin/python
	$(INSTALL) --editable .
	@touch $@

.venv/installed-%: pyproject.toml | .venv/bin/python
	$(INSTALL) --editable '.[$*]'
	@touch $@
