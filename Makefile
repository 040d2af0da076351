# The door for people: every target sets up what it needs first. The commands themselves are in fink-dagster --help.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
FINK := $(BIN)/fink-dagster

.DEFAULT_GOAL := help
.PHONY: help setup demo up down test test-slow check bench format

##@ Start here

help:  ## show this
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: $(INSTALLED)  ## Python packages, jars and sample packets; safe to interrupt and to repeat
	@$(FINK) setup

demo: setup  ## one real night through all four stages, ends by itself (FRESH=1: forget the demo before)
	@$(FINK) demo $(if $(FRESH),--fresh)

##@ The platform

up: setup  ## Kafka, HBase and Dagster, to stay: http://127.0.0.1:3000
	@$(FINK) up

down: $(INSTALLED)  ## stop them; nothing is lost
	@$(FINK) down

##@ Development

test: setup  ## the tests, with servers of their own; beside a running platform too
	@$(BIN)/python -m pytest tests/unit tests/integration -m "not slow"

test-slow: setup  ## the long ones: crashes, benchmarks, many nights
	@$(BIN)/python -m pytest tests -m slow

check: setup  ## style, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup  ## write the files as check wants them
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup  ## the benchmark and its report
	@$(BIN)/python -m bench

# The stamp is written last, so that an interrupted set-up is taken up where it stopped.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "python: version 3.11 or newer must be used; got %d.%d; run make setup PYTHON=python3.11" % sys.version_info[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Python packages: some 1 GB and a few minutes at the first time"
	@$(BIN)/python -m pip install --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
	@touch $@
