# One place for every task; the continuous integration calls the same targets.
# make PYTHON=python3.12 setup   chooses the Python of a new environment.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.napari-dran
GROUPS := test lint docs

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format docs screenshots

help:  ## Show the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null || \
		sed -n 's/^\([a-z]*\):.*## /  make \1: /p' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make the virtual environment .venv with everything in it
	@scripts/system-packages.sh

$(STAMP): pyproject.toml scripts/system-packages.sh scripts/environment.sh
	@scripts/system-packages.sh
	@scripts/environment.sh "$(PYTHON)" "$(VENV)" $(GROUPS)
	@touch $@

demo: setup  ## Denoise two bundled scans and show what it did
	$(BIN)/napari-dran demo

test: setup  ## Run the tests, then lint
	$(BIN)/python -m pytest
	@$(MAKE) --no-print-directory lint

lint: setup  ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## Bring the code into the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup  ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

screenshots: setup  ## Take the documentation's pictures anew
	$(BIN)/python docs/screenshots.py
	$(BIN)/napari-dran demo
	cp demo-output/before-after.png docs/images/before-after-residual.png
