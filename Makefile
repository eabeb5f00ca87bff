# Everything a user or a developer does here. `make demo` and `make test` set up what they need by themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CAST   := whisper-base yamnet centerface
# WhisperX needs versions of its own, and 8 GB: it never shares an environment with the rest.
WHISPERX := .venv-whisperx
# Neither does TRL, which brings torch; without a GPU 1.8 GB are enough.
TRL    := .venv-trl
TORCH  ?= torch

.DEFAULT_GOAL := help
.PHONY: help demo test test-integration test-whisperx test-trl check format reference bench wheel-demo constraints clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

# -- environments ------------------------------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "omnidetective needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check 'pip>=25.1'

$(VENV)/.user: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing omnidetective with the embedded cast (about 1 GB) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[local]'
	@touch $@

$(VENV)/.dev: $(VENV)/.user
	@echo "installing the development tools …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[code]' --group dev
	@touch $@

$(VENV)/.weights: $(VENV)/.user configs/weights.yaml
	@$(BIN)/omnidetective weights pull $(CAST)
	@touch $@

$(VENV)/.test-weights: $(VENV)/.weights
	@$(BIN)/omnidetective weights pull smollm2-135m
	@touch $@

$(WHISPERX)/.ready: pyproject.toml tools/whisperx/pyproject.toml
	@echo "installing WhisperX (8 GB) …"
	@$(PYTHON) -m venv $(WHISPERX)
	@$(WHISPERX)/bin/python -m pip install -q --disable-pip-version-check 'pip>=25.1'
	@$(WHISPERX)/bin/python -m pip install -q --disable-pip-version-check -e . -e tools/whisperx \
	  --group tools/whisperx/pyproject.toml:test
	@touch $@

$(TRL)/.ready: pyproject.toml
	@echo "installing TRL (1.8 GB) …"
	@$(PYTHON) -m venv $(TRL)
	@$(TRL)/bin/python -m pip install -q --disable-pip-version-check 'pip>=25.1'
	@$(TRL)/bin/python -m pip install -q --disable-pip-version-check $(TORCH)
	@$(TRL)/bin/python -m pip install -q --disable-pip-version-check -e . --group trl
	@touch $@

# -- for users ---------------------------------------------------------------------------------------------------------

demo: $(VENV)/.weights ## Caption the sample clips with the embedded cast and show the captions
	@$(BIN)/omnidetective run --input data/input.jsonl --output out.jsonl
	@$(BIN)/python -m scripts.show_captions out.jsonl

# -- for developers ----------------------------------------------------------------------------------------------------

test: $(VENV)/.dev $(VENV)/.test-weights ## Run the tests
	@$(BIN)/python -m pytest -n 2

test-integration: $(VENV)/.dev $(VENV)/.test-weights ## Run the slow tests too: real servers, long files
	@$(BIN)/python -m pytest -n 2 -m 'integration or not integration'
	@$(MAKE) test-whisperx
	@$(MAKE) test-trl

test-whisperx: $(WHISPERX)/.ready ## Run the tests of tools/whisperx with the real WhisperX, in an environment of its own
	@$(WHISPERX)/bin/python -m pytest -c tools/whisperx/pyproject.toml --rootdir tools/whisperx tools/whisperx/tests

test-trl: $(TRL)/.ready ## Train with the rewards in TRL, on the CPU, in an environment of its own
	@$(TRL)/bin/python -m pytest -m integration tests/rewards/test_grpo.py

check: $(VENV)/.dev $(VENV)/.test-weights ## Everything that CI checks: style, types, import rules, tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -n 2

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

reference: $(VENV)/.user ## Write docs/reference from the code
	@$(BIN)/python -m scripts.write_reference

bench: $(VENV)/.dev $(VENV)/.weights ## Measure: quality on the samples, each instrument alone, start-up, transports, the engine, resuming, rewards
	@$(BIN)/python -m scripts.bench.samples --markdown
	@$(BIN)/python -m scripts.bench.observers
	@$(BIN)/python -m scripts.bench.routing
	@$(BIN)/python -m scripts.bench.startup
	@$(BIN)/python -m scripts.bench.transport
	@$(BIN)/python -m scripts.bench.engine
	@$(BIN)/python -m scripts.bench.resume
	@$(BIN)/python -m scripts.bench.rewards

wheel-demo: $(VENV)/.dev ## Build the wheel and run the demo with it in a clean environment
	@sh scripts/wheel_demo.sh $(BIN)/python

constraints: ## Pin what is installed now
	@(echo "# The versions that everything here is tested with; \`make constraints\` writes them."; $(BIN)/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools) > constraints.txt

clean: ## Remove what was made here
	rm -rf $(VENV) $(WHISPERX) $(TRL) dist build out.jsonl out.failures.jsonl out.state.sqlite* out.cache.sqlite* .pytest_cache .mypy_cache .ruff_cache
