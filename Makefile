# Needs Python 3.11 or later with pip, and make; everything else goes into .venv.
#
#   make demo      install, then tune a small network on real images
#   make test      install, then lint, types and tests
#   make test-all  the same with the long checks
#
# torch comes from where pip looks by default. On Linux that may be the build with all
# CUDA libraries; for the small one:
#   make demo PIP_EXTRA_INDEX_URL=(the index of CPU builds that its install page names)

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PEER_PYTHON ?= $(DANLU_PEER_PYTHON)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo install test test-all lint docs bench clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/installed ## tune a small network on real images, and write a report
	$(BIN)/danlu demo

install: $(VENV)/installed ## the virtual environment with all that development needs

# In as many processes as there are cores, each file of tests in one of them.
test: lint ## lint, types and the quick tests
	$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile

test-all: lint ## lint, types and every test
	$(BIN)/python -m pytest -m ""

lint: $(VENV)/installed ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/installed ## run every example in README.md, docs and docstrings
	$(BIN)/python -m pytest tests/test_docs.py tests/test_public_names.py

bench: $(VENV)/installed ## compare with Optuna: PEER_PYTHON is a Python that has it
	$(BIN)/python -m benchmarks.overhead --peer-python "$(PEER_PYTHON)"

clean: ## remove what was installed and built; trials and studies stay
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A minimal Debian has Python without ensurepip: then the system's pip fills the
# environment. torch is installed alone and first, so that nothing else chooses its build.
$(VENV)/created:
	@test -n "$(PYTHON)" || { echo "Python is missing: \
	  apt-get install python3 python3-pip python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or later is needed, $(PYTHON) is `$(PYTHON) -V`: \
	  make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || { $(PYTHON) -m venv --without-pip $(VENV) \
	    && $(PYTHON) -m pip --python $(BIN)/python install pip; } \
	  || { echo "a virtual environment cannot be made: \
	  apt-get install python3-venv python3-pip" >&2; exit 1; }
	@touch $@

$(VENV)/torch: constraints.txt | $(VENV)/created
	$(PIP) install -c constraints.txt torch
	@touch $@

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/created $(VENV)/torch
	$(PIP) install -c constraints.txt -e ".[dev]"
	@touch $@
