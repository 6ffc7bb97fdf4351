# One command sets up (every other target calls it), one runs the demo, one checks everything; CI calls the same.

PYTHON := $(firstword $(foreach python,python3.11 python3.12 python3.13 python3.14 python3,\
  $(shell $(python) -c 'import sys; sys.version_info >= (3, 11) and print("$(python)")' 2>/dev/null)))
UV_VERSION := 0.13.9
BIN := .venv/bin
READY := .venv/.ready
COMPILED := build/compiled
COMPILED_READY := $(COMPILED)/.ready
CAN_COMPILE := command -v cc >/dev/null && \
  test -f "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h"
COMPILED_TESTS := tests/unit/edge tests/unit/events tests/unit/links/test_token.py tests/unit/links/test_golden_tokens.py \
  tests/unit/links/test_siv.py tests/unit/pipeline tests/unit/spool tests/integration/edge

# Processes that run tests: two for each core of CI, for tests wait about as long as they compute.
N := 4
IN_PROCESSES := --numprocesses $(N) --dist loadfile --no-loadscope-reorder

# Tests start hundreds of processes: without bytecode on the disk each would compile the product anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-compiled compiled check fix lock bench bench-links bench-edge bench-pipeline bench-api bench-storage bench-search bench-mail bench-verdict bench-webhooks bench-analysis fuzz torture conformance

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(READY)  ## virtual environment with the locked dependencies, in .venv

demo: $(READY)  ## the whole product on this machine: send, deliver, click, read back; EXIT=1 stops when done
	@$(BIN)/python -m demo $(if $(EXIT),--exit)

# In this order, for the longest file is in the first folder and the shortest are in the last.
test: check  ## everything: linters, types, tests, these in N=4 processes
	$(BIN)/pytest tests/torture tests/acceptance tests/integration tests/unit $(IN_PROCESSES)
	@if $(CAN_COMPILE); then $(MAKE) --no-print-directory test-compiled; else \
	  echo "not tested: the compiled modules, for there is no C compiler, or there are no headers of Python"; fi

test-compiled: compiled  ## the tests of edge and pipeline again, over their compiled modules
	PYTHONPATH=$(CURDIR)/$(COMPILED) $(BIN)/pytest $(COMPILED_TESTS) $(IN_PROCESSES)

compiled: $(COMPILED_READY)  ## what costs most of a redirect and of an event, compiled by mypyc, in build/compiled (docs/adr/0019-compiled-edge.md)

check: $(READY)  ## linters and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

fix: $(READY)  ## what the linters can mend by themselves
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(READY)  ## requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --all-extras --group dev --python-version 3.11 \
	  --custom-compile-command "make lock" pyproject.toml --output-file requirements.lock

bench: bench-links bench-edge bench-pipeline bench-api bench-storage bench-mail bench-verdict bench-webhooks  ## every benchmark but bench-search and bench-analysis

bench-links: $(READY)  ## rewriting, link length, sealing, growth: tables, and a plot in bench/results; over SHARED=DIR/corpus
	$(BIN)/python -m bench.links $(if $(SHARED),$(SHARED)/corpus)

bench-edge: compiled  ## a redirect beside nginx's: CPU, latency, TLS, memory; a plot in bench/results; QUICK=1 to try it
	$(BIN)/python -m bench.edge $(if $(QUICK),--quick)

bench-pipeline: compiled  ## events a second from sealed segment to queryable row, on one core, as Python and compiled
	$(BIN)/python -m bench.pipeline
	PYTHONPATH=$(CURDIR)/$(COMPILED) $(BIN)/python -m bench.pipeline

bench-api: $(READY)  ## sends a second that the API takes, and how long it takes them, on SQLite and PostgreSQL
	$(BIN)/python -m bench.api

bench-storage: $(READY)  ## bytes that a million sends take in the control database, on SQLite and PostgreSQL
	$(BIN)/python -m bench.api_storage

bench-mail: $(READY)  ## messages composed and signed a second, on one core; signing beside dkimpy's
	$(BIN)/python -m bench.mail

bench-verdict: $(READY)  ## human or machine: the confusion matrix on simulated readers, held-out seeds too; hits judged a second
	$(BIN)/python -m bench.verdict

bench-webhooks: $(READY)  ## webhooks told a second by one process on one core, to one receiver and to twenty
	$(BIN)/python -m bench.webhooks

bench-analysis: $(READY)  ## the dashboard's queries over 1, 10 and 100 million events; a plot in bench/results: an hour, 10 GB in build; QUICK=1 to try it
	$(BIN)/python -m bench.analysis $(if $(QUICK),--quick)

bench-search: $(READY)  ## lists and search of sends, over a million on SQLite and ten on PostgreSQL: an hour, 15 GB in /tmp
	$(BIN)/python -m bench.api_search

fuzz: $(READY)  ## five minutes of fuzzing plan() and open_token()
	$(BIN)/python -m fuzz

torture: $(READY)  ## break everything and count: all gates of reliability or G=G2; RESUME=1 goes on where it was
	$(BIN)/python -m torture $(G) $(if $(RESUME),--resume) $(if $(SHORT),--short)

conformance: $(READY)  ## the corpus and suites of SHARED=DIR
	@test -d "$(SHARED)" || { echo "make conformance SHARED=DIR: DIR is the folder with corpus/ and suites/"; exit 2; }
	SHARED="$(abspath $(SHARED))" $(BIN)/pytest tests/conformance

$(COMPILED_READY): $(READY) hatch_build.py $(shell find src -name '*.py')
	@$(CAN_COMPILE) || { echo "a C compiler and the headers of Python are needed: apt-get install gcc python3-dev"; exit 1; }
	@rm -rf $(COMPILED) build/wheel
	HATCH_BUILD_HOOK_ENABLE_CUSTOM=true $(BIN)/uv build --quiet --wheel --out-dir build/wheel
	@$(BIN)/python -m zipfile -e build/wheel/waypost-*.whl $(COMPILED)
	@touch $@

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt-get install python3"; exit 1; }
	@$(PYTHON) -m ensurepip --version >/dev/null 2>&1 || \
	  if [ "$$(id -u)" = 0 ]; then echo "Installing $(notdir $(PYTHON))-venv"; export DEBIAN_FRONTEND=noninteractive; \
	    apt-get update -qq && apt-get install -qq --yes $(notdir $(PYTHON))-venv >/dev/null; \
	  else echo "$(PYTHON) has no venv module; run: sudo apt-get install $(notdir $(PYTHON))-venv"; exit 1; fi
	@echo "Installing the $$(grep -c == requirements.lock) packages of requirements.lock into .venv with $$($(PYTHON) --version);"
	@echo "this takes about a minute the first time"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@
