# `make` sets up .venv and runs the studies; `make test` sets up and runs every check; `make published`
# sets up what the published measurements need (no PyTorch) and refits them.

VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e
CORES ?= all
# The first interpreter that the project supports; `make PYTHON=/path/to/python` chooses another.
SUPPORTED = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && { echo $$p; break; }; done)
WHICH = import platform; print("is Python " + platform.python_version())
NEEDS = paretoken needs Python 3.11, 3.12, 3.13 or 3.14
CHOOSE = say which one to use: make PYTHON=/path/to/python
# What is downloaded and stored, as `pip install --report` and `du` say; Linux, x86-64, Python 3.13, 2026-11-30:
# '.[dev,train]' 3.08 GB of wheels and 6.0 GB of files, most of it PyTorch and CUDA; '.[dev]' 0.24 GB and 0.9 GB.
ALL_OF_IT = about 3.1 GB to download and about 6 GB to store, most of it PyTorch with CUDA
WITHOUT_TORCH = about 0.25 GB to download and about 0.9 GB to store
# These goals alone need no PyTorch.
SMALL = $(if $(MAKECMDGOALS),$(if $(filter-out published figures analysis docs format,$(MAKECMDGOALS)),,yes))

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
	@test -n "$(PYTHON)" || { echo "$(NEEDS), and none is on PATH; install one, or $(CHOOSE)" >&2; exit 2; }
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { \
	found=$$($(PYTHON) -c '$(WHICH)' 2>/dev/null || echo "does not run"); \
	echo "$(NEEDS), and $(PYTHON) $$found; $(CHOOSE)" >&2; exit 2; }
	@echo "Setting up $(VENV) with $(PYTHON): $(if $(SMALL),$(WITHOUT_TORCH),$(ALL_OF_IT))."
	@$(if $(SMALL),,echo "The target published needs no PyTorch: $(WITHOUT_TORCH).")
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[dev]'
	@touch $@

# PyTorch and the rest of the training stack.
$(VENV)/.ready: $(VENV)/.ready-analysis
	@echo "Installing PyTorch and the rest of the training stack: with it, $(ALL_OF_IT)."
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
