# From a bare clone with Python >= 3.11, git and make: `make demo` and `make test` do all their set-up themselves.
# The set-up lives in .venv and is done again only when pyproject.toml or constraints.txt change.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
EXTRAS := embedded,numpy,openai,cli,web
MAKEFLAGS += --no-print-directory

# What the caller's shell may carry must not reach our own environment. Index and certificate settings stay.
unexport PYTHONHOME PYTHONPATH PYTHONSTARTUP VIRTUAL_ENV PIP_PREFIX PIP_PYTHON PIP_ROOT PIP_TARGET PIP_USER

.DEFAULT_GOAL := help
.PHONY: help install lint test demo bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

install: $(VENV)/.installed  ## make .venv with the package, its extras and the tools

lint: install  ## ruff and mypy --strict
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

test: lint  ## lint, then the whole test suite
	$(PY) -m pytest

demo: install  ## an agent that remembers, over an embedded server
	$(VENV)/bin/agentmem demo

BENCHMARKS ?= $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py))
bench: $(VENV)/.bench  ## the benchmarks, peers included
	@set -e; for file in $(BENCHMARKS); do echo "== $$file"; $(PY) $$file; done

clean:  ## remove .venv and everything built
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, '$(PYTHON)' is not. Name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "'$(PYTHON)' cannot make a virtual environment with pip (on Debian: apt install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(PY)
	$(PY) -m pip install --quiet --upgrade -c constraints.txt pip hatchling editables
	$(PY) -m pip install --quiet --no-build-isolation -c constraints.txt -e '.[$(EXTRAS)]' --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.installed
	$(PY) -m pip install --quiet --no-build-isolation -c constraints.txt -e '.[$(EXTRAS),bench]'
	@touch $@
