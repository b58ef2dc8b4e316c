# Everything a person runs in this repository. `make demo` and `make test` each start from a fresh clone.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SETUP  := .setup/installed
# One release for which a CPU build exists; any torch that pyproject.toml allows will do once it is installed.
TORCH  := 2.13.0

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all lint format eval bench train checksums clean test-editors vsix

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP) ## install guiderail and its tools into .venv

# The stamp makes a second run do nothing; a changed pyproject.toml makes it install again.
ifeq ($(wildcard $(BIN)/guiderail),) # a stamp does not tell that .venv is still there
.PHONY: $(SETUP)
endif
$(SETUP): pyproject.toml .ci/setup
	@PYTHON="$(PYTHON)" VENV="$(VENV)" TORCH="$(TORCH)" .ci/setup
	@mkdir -p $(@D) && touch $@

demo: $(SETUP) ## complete real code with the embedded model
	@$(BIN)/guiderail demo

# A process for each core, four at most: each holds models of its own. A module's tests stay together with what they share.
PYTEST = $(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadscope

test: lint ## all checks: format, lint, types, tests
	$(PYTEST) -m "not exhaustive"

test-all: lint ## the same, with the longer twins of some tests
	$(PYTEST)

lint: $(SETUP) ## format, lint and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

format: $(SETUP) ## put the code into the project's format
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format .

eval: $(SETUP) ## measure the quality of the suggestions
	$(BIN)/guiderail eval model

bench: $(SETUP) ## measure speed against transformers and llama.cpp
	$(BIN)/guiderail bench decode

train: $(SETUP) ## train the embedded model anew (resumable, hours on a CPU)
	$(BIN)/python -m training

vsix: $(SETUP) ## package the VS Code extension (needs Node 20 and npm): editors/vscode/guiderail.vsix
	$(BIN)/python editors/vscode/settings.py --check
	rm -rf editors/vscode/server
	$(BIN)/python -m pip -q wheel --no-deps --wheel-dir editors/vscode/server .
	cd editors/vscode && npm ci --no-audit --no-fund && npm run -s check && npm run -s lint && npm run -s test \
	  && npm run -s package

test-editors: vsix ## drive a real Neovim and a real VS Code; screenshots go to docs/images
	tests/editors/fetch_neovim.sh
	tests/editors/fetch_vscode.sh
	-tests/editors/fetch_plugins.sh
	GUIDERAIL_SCREENSHOTS=docs/images $(BIN)/pytest tests/editors -rs

checksums: ## list the embedded model's files for guiderail doctor
	cd guiderail/model/embedded/weights && find . -type f ! -name SHA256SUMS | sort | sed 's|^\./||' \
	  | xargs sha256sum > SHA256SUMS

clean: ## remove everything that make made
	rm -rf $(VENV) .setup build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
