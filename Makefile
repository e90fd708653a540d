# make demo | test | lint | docs | bench      needs: python 3.11 or later with venv, make, git
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PLUGINS := $(patsubst %/setup.cfg,%,$(wildcard plugins/*/setup.cfg))
PACKAGES := $(patsubst %/__init__.py,%,$(wildcard plugins/*/syncd_*/__init__.py))
METADATA := setup.cfg pyproject.toml $(addsuffix /setup.cfg,$(PLUGINS))
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
EDITABLE_PLUGINS := $(addprefix -e ./,$(PLUGINS))
WORKERS ?= 2
MINUTES ?= 60
ARGS ?=

.PHONY: help env demo picture test coverage soak mutants lint format docs bench clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No python3.11 found. Install Python 3.11, or run: make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is too old: syncd needs Python 3.11 or later. Run: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making the environment $(VENV) from $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV) || { \
	  echo "Python's venv module is not usable. On Debian: apt-get install python3.11-venv"; exit 1; }

# One stamp for each set of packages. It is as old as the metadata it was made from, so that
# pip runs only after a change of a setup.cfg, and the demo does not wait for the test tools.
$(VENV)/.installed-run: $(METADATA) | $(BIN)/python
	@echo "Installing syncd and $(words $(PLUGINS)) channel plugin(s)"
	@$(PIP_INSTALL) -e . $(EDITABLE_PLUGINS)
	@touch $@

$(VENV)/.installed-test: $(METADATA) | $(BIN)/python
	@echo "Installing syncd, $(words $(PLUGINS)) channel plugin(s), and the tools for tests and lint"
	@$(PIP_INSTALL) -e '.[test,lint]' $(EDITABLE_PLUGINS)
	@touch $(VENV)/.installed-run $@

$(VENV)/.installed-docs: $(METADATA) | $(BIN)/python
	@echo "Installing syncd and the tools for its documentation"
	@$(PIP_INSTALL) -e '.[docs]' $(EDITABLE_PLUGINS)
	@touch $@

env: $(VENV)/.installed-test ## the environment with everything for development

demo: $(VENV)/.installed-run ## simulated channels, the daemon and a first sync (ONCE=1: check it and end)
	@$(BIN)/python -m tools.demo $(if $(filter-out 0,$(ONCE)),--once) $(ARGS)

picture: $(VENV)/.installed-run ## docs/images/demo.svg from a real run of the demo
	@$(BIN)/python -m tools.demo --once --picture docs/images/demo.svg

test: $(VENV)/.installed-test ## every test (ARGS='-k name' for some)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(ARGS)

coverage: $(VENV)/.installed-test ## lines of each plugin that its own tests reach; fails under 95 %
	@mkdir -p build
	@COVERAGE_FILE=build/.coverage $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile plugins \
	  $(addprefix --cov=,$(PACKAGES)) --cov-report= --cov-report=json:build/coverage.json $(ARGS)
	@$(BIN)/python -m tools.plugin_coverage build/coverage.json

soak: $(VENV)/.installed-test ## the random machine over the book (MINUTES=n, ARGS='--seed n --shrink')
	@$(BIN)/python -m tests.machine --minutes $(MINUTES) $(ARGS)

mutants: $(VENV)/.installed-test ## rules and apply code, changed in small ways: which tests notice (ARGS='syncd.rules.orders*')
	@$(PIP_INSTALL) -e '.[test,mutants]' $(EDITABLE_PLUGINS)
	@mkdir -p build
	@# mutmut makes all changes, and tries a few; tools.mutants tries the others
	@$(BIN)/mutmut run --max-children $(WORKERS) 'syncd.rules.brake*' >build/mutmut.log 2>&1 || { tail -c 2000 build/mutmut.log; exit 1; }
	@cd mutants && $(abspath $(BIN))/python -m tools.mutants --workers $(WORKERS) $(ARGS)
	@$(BIN)/python -m tools.survivors > build/mutants.md
	@grep '^[|#]' build/mutants.md; echo 'Each of them: build/mutants.md'

lint: $(VENV)/.installed-test ## ruff, mypy --strict, the layer contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy syncd tools $(PACKAGES)
	@$(BIN)/lint-imports

format: $(VENV)/.installed-test ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(VENV)/.installed-docs ## docs/_build/html/index.html, warnings are errors
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(VENV)/.installed-test ## measured speed of a whole pass
	@$(BIN)/python -m bench $(ARGS)

clean: ## remove the environment and everything built
	@rm -rf $(VENV) build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis mutants
	@find . -name '*.egg-info' -prune -exec rm -rf {} +
