# Everything a person at a checkout runs. Each target sets up what it needs in .venv and tests/node/node_modules.

PYTHON  ?= python3
ARGS    ?=
STRICT  ?=
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))

VENV    := .venv
BIN     := $(VENV)/bin
LOCKS   := config/locks
PEERS   := tests/node/node_modules
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-emit-index-url --no-emit-find-links --no-header
export STRICT
unexport PYTHONDONTWRITEBYTECODE  # each of a run's hundred processes would compile what it imports anew

# Tests write their databases into memory where there is room for them: what they prove needs no disk, and waits for it.
MEMORY  := /dev/shm
TESTTMP := $(shell room=$$(df -Pk $(MEMORY) 2>/dev/null | awk 'NR == 2 {print $$4}'); \
             if [ -w $(MEMORY) ] && [ "$${room:-0}" -gt 2000000 ]; then echo $(MEMORY); else echo "$${TMPDIR:-/tmp}"; fi)

# A stamp is named by the hash of what was installed: the same lock is never installed twice, a new one always is.
hash     = $(shell cat $(1) 2>/dev/null | sha256sum | cut -c1-16)
RUNTIME := $(VENV)/.stamp-runtime-$(call hash,$(LOCKS)/build.lock $(LOCKS)/runtime.lock pyproject.toml)
TEST    := $(VENV)/.stamp-test-$(call hash,$(LOCKS)/test.lock pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help demo test peers lint bench chaos provider setup lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## run the whole main job on embedded defaults (ARGS=--walkthrough plays it in the terminal)
	@$(BIN)/connector demo $(ARGS)

test: $(TEST) peers ## lint, then run every test (STRICT=1: what cannot be run is a failure; ARGS go to pytest)
	@lint=0; $(MAKE) --no-print-directory lint || lint=1; \
	TMPDIR=$(TESTTMP) $(BIN)/pytest -n $(WORKERS) --dist loadgroup $(ARGS) || exit $$?; \
	[ $$lint -eq 0 ] || { echo "The tests passed; lint did not: see above."; exit 1; }

peers: $(TEST)
	@$(BIN)/python -m tests.services.node

lint: $(TEST) ## ruff, formatting, types and the import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(TEST) ## measure the fast paths side by side with their floors, as one table
	@$(BIN)/python -m tests.bench $(ARGS)

chaos: $(TEST) ## kill, freeze, starve and cut off real processes, and count what is lost (ARGS="--seed 7 --only F1")
	@TMPDIR=$(TESTTMP) $(BIN)/python -m tests.chaos $(ARGS)
	@$(if $(ARGS),true,LIFE_EXAMPLES=200 CONNECTOR_STORIES=4 TMPDIR=$(TESTTMP) $(BIN)/pytest -q \
	  tests/proofs/test_connection_life.py tests/proofs/test_the_real_gateway.py)

provider: $(TEST) ## check one entry of the catalogue: form, sense, contract (NAME=github, or files)
	@$(BIN)/python -m tests.contracts $(NAME)

setup: $(TEST) ## the virtual environment with everything for development, and nothing else

lock: $(TEST) ## resolve the dependencies anew and write the lock files
	$(COMPILE) $(UPGRADE) --extra build --extra test --output-file $(LOCKS)/test.lock pyproject.toml
	$(COMPILE) --constraint $(LOCKS)/test.lock --output-file $(LOCKS)/runtime.lock pyproject.toml
	printf 'editables\nhatchling\n' | $(COMPILE) --constraint $(LOCKS)/test.lock --output-file $(LOCKS)/build.lock -
	cd tests/node && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

clean: ## remove caches and what was built (ALL=1: the virtual environment and node peers too)
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .demo
	@find connector providers vault tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@$(if $(ALL),rm -rf $(VENV) $(PEERS),true)

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with PYTHON=…") if sys.version_info < (3, 11) else 0'
	@$(PYTHON) -m venv $(VENV)

PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
UV  := $(BIN)/uv pip install --quiet --no-cache --python $(BIN)/python

# The lock first, by hash and nothing else; then the checkout itself, by what the lock brought.
$(RUNTIME): | $(VENV)/pyvenv.cfg
	@echo "Setting up $(VENV) from $(LOCKS)/build.lock and runtime.lock …"
	@$(PIP) --require-hashes -r $(LOCKS)/build.lock -r $(LOCKS)/runtime.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# For the tests' hundred packages uv takes seconds where pip takes a minute. It is in the lock itself, so it comes first;
# where it cannot reach what pip can (it does not read pip's settings), pip does it all.
$(TEST): | $(VENV)/pyvenv.cfg
	@echo "Setting up $(VENV) from $(LOCKS)/test.lock …"
	@awk '/^[a-z]/ {mine = /^uv==/} mine' $(LOCKS)/test.lock > $(VENV)/uv.lock
	@$(PIP) --require-hashes -r $(VENV)/uv.lock
	@$(UV) --require-hashes -r $(LOCKS)/test.lock 2> $(VENV)/uv.log || $(PIP) --require-hashes -r $(LOCKS)/test.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
