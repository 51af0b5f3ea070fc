# From a bare clone with Python >= 3.11, git and make, `make demo` and `make test` do all their set-up themselves.
# It lives in .venv and is done again only when pyproject.toml or constraints.txt change.

# The first of these that is new enough is taken; `make PYTHON=/path/to/python3.12 ...` names another.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11 python
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet -c constraints.txt
EXTRAS := embedded,numpy,langchain,openai,cli,web,redis-rag
BENCHMARKS ?= checkpointers stores recall history events outbox turns
MAKEFLAGS += --no-print-directory

# The caller's shell may point Python and pip elsewhere; here both mean .venv. Where packages come from stays the caller's.
unexport PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONWARNINGS VIRTUAL_ENV
unexport PIP_CONSTRAINT PIP_DRY_RUN PIP_NO_DEPS PIP_PREFIX PIP_PYTHON PIP_REQUIRE_HASHES PIP_ROOT PIP_TARGET
export PIP_USER := 0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install lint test demo bench pin clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

install: $(VENV)/.installed  ## set up .venv with the package, its extras and the tools
	@:

lint: install  ## ruff and mypy --strict
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

test: lint  ## lint, then the whole test suite
	$(PY) -m pytest --numprocesses=2 --dist=loadfile

demo: install  ## an agent that remembers, over an embedded server
	$(VENV)/bin/agentmem demo

bench: $(VENV)/.bench  ## the benchmarks, peers included
	set -e; for name in $(BENCHMARKS); do $(PY) -m benchmarks.$$name; done

pin: $(PY)  ## renew constraints.txt from a clean install of everything
	$(PY) -m venv --clear $(VENV)/pin
	$(VENV)/pin/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/pin/bin/python -m pip install --quiet '.[all,bench]' --group dev --group pin
	{ grep '^#' constraints.txt; $(VENV)/pin/bin/python -m pip list --format=freeze \
	  --exclude langchain-agentmem --exclude setuptools | tr 'A-Z_' 'a-z-'; } > $(VENV)/pins
	mv $(VENV)/pins constraints.txt
	rm -rf $(VENV)/pin

clean:  ## remove .venv and everything built
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@for python in $(PYTHON); do \
	  $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  echo "Setting up $(VENV) with $$($$python --version)"; exec $$python -m venv --clear $(VENV); \
	done; \
	echo "Needed: Python 3.11 or newer that can make virtual environments (on Debian: apt install python3-venv)." >&2; \
	echo "Tried: $(PYTHON). Name yours: make PYTHON=/path/to/python3" >&2; exit 1

# The build tools first: the rest is then built with these pinned ones, and by a pip that knows dependency groups.
$(VENV)/.installed: $(PY) pyproject.toml constraints.txt
	$(PIP) --upgrade pip hatchling editables
	$(PIP) --no-build-isolation -e '.[$(EXTRAS)]' --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.installed
	$(PIP) --no-build-isolation -e '.[$(EXTRAS),bench]'
	@touch $@
