# `make` sets up .venv and runs the studies; `make test` sets up and runs every check; `make published`
# sets up what the published measurements need (no PyTorch) and refits them.

VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e
CORES ?= all
# The first interpreter that the project supports; `make PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null \
	&& { echo $$p; break; }; done)

.PHONY: study published figures test format lint types tests setup analysis clean

study: setup
	$(BIN)/snakemake --cores $(CORES)

published: analysis
	$(BIN)/snakemake --cores $(CORES) --config 'run=[published]'

# Redraws the figures of README and docs from the tables in the repository, without training.
figures: analysis
	$(BIN)/python docs/figures.py --cores $(CORES)

test: lint types tests

analysis: $(VENV)/.ready-analysis
setup: $(VENV)/.ready

$(VENV)/.ready-analysis: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "paretoken needs Python 3.11 or 3.12; install one, or say make PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[dev]'
	@touch $@

# PyTorch and the rest of the training stack.
$(VENV)/.ready: $(VENV)/.ready-analysis
	$(INSTALL) '.[dev,train]'
	@touch $@

# The tests train with DeepSpeed, too, which studies on a laptop do without, and build the documentation.
$(VENV)/.ready-tests: $(VENV)/.ready
	$(INSTALL) '.[dev,train,deepspeed,docs]'
	@touch $@

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

types: setup
	$(BIN)/mypy

# The tests marked slow (the whole workflow, statistical coverage) are left out of a plain `pytest`.
tests: $(VENV)/.ready-tests
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "slow or not slow"

# The documentation as a site in site/, with the reports of the studies that have been run.
.PHONY: docs
docs: $(VENV)/.ready-docs
	$(BIN)/mkdocs build --strict

$(VENV)/.ready-docs: $(VENV)/.ready-analysis
	$(INSTALL) '.[dev,docs]'
	@touch $@

format: analysis
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt Snakefile workflow

clean:
	rm -rf $(VENV) .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis
