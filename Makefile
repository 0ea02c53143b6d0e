# fieldcare: two commands for everybody (demo, test), one more for those who change it (check).
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -c constraints.txt
# One line that says which package is under way; pip's full output stays in the log on failure.
PROGRESS := awk '/^(Collecting|Downloading|Installing|Building|Successfully)/ {printf "\r\033[K  %.76s", $$0; fflush()} /ERROR|error:/ {print "\n" $$0} END {print ""}'
SPEED ?= 120
DATA ?= var/demo

.PHONY: demo test check lint format figures clean
.DELETE_ON_ERROR:

demo: .venv/.demo web/dist/index.html
	@$(BIN)/fieldcare demo --data $(DATA) --speed $(SPEED) $(if $(FRESH),--fresh)

test: .venv/.dev web/dist/index.html
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

figures: .venv/.dev web/dist/index.html
	@$(BIN)/fieldcare bench

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fieldcare needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	@$(PYTHON) -m venv .venv

.venv/.demo: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing the pinned packages (once)"
	@set -o pipefail; $(PIP) -e '.[pages]' 2>&1 | $(PROGRESS)
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing the pinned packages and the test tools (once)"
	@set -o pipefail; $(PIP) -e '.[pages,dev]' 2>&1 | $(PROGRESS)
	@touch $@ .venv/.demo

WEB := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print 2>/dev/null)
web/dist/index.html: $(WEB) | .venv/bin/python
	@$(if $(wildcard .venv/.demo),true,$(MAKE) --no-print-directory .venv/.demo)
	@$(BIN)/python web/build.py
	@touch $@

clean:
	rm -rf .venv web/node_modules web/dist var .mypy_cache .ruff_cache .pytest_cache .hypothesis

SHELL := /bin/bash
