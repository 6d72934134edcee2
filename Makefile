# `make` sets up .venv and runs the studies; `make test` sets up and runs every check; `make training`
# adds what trained studies need.

VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
# The first interpreter that the project supports; `make PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null \
	&& { echo $$p; break; }; done)

.PHONY: study test format lint types tests setup training clean

study: setup
	$(BIN)/snakemake --cores $(CORES)

test: lint types tests

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "paretoken needs Python 3.11 or 3.12; install one, or say make PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# PyTorch and the rest of the training stack, which the published study does not need.
training: $(VENV)/.ready-training

$(VENV)/.ready-training: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,train]'
	@touch $@

lint: training
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

types: training
	$(BIN)/mypy

# The tests marked slow (the whole workflow, statistical coverage) are left out of a plain `pytest`.
tests: training
	$(BIN)/pytest -n 2 -m "slow or not slow"

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt Snakefile workflow

clean:
	rm -rf $(VENV) .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis
