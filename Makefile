# Everything starts here: `make demo` to see it, `make test` to trust it, `make help` for the rest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
PYTEST := .venv/bin/python -m pytest -q $(PYTEST_ARGS)
BIN := .venv/bin
STAMP := .venv/.avtale-stamp
LOCKS := requirements/uv.lock requirements/dev.lock frontend/package-lock.json
# Addresses of registries stay out of the locks: whoever installs says where from (pip's and uv's own
# settings and environment).
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
  --no-header --python-version 3.11 pyproject.toml

.PHONY: help setup compile demo up test test-system faults faults-full bench bench-quick lint \
  format lock screenshots clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' \
	  | { column -t -s '|' 2>/dev/null || cat; }

setup: $(STAMP) ## Make .venv with pinned, hash-checked versions

$(STAMP): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Avtale needs Python 3.11 or newer as $(PYTHON): make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python cannot make environments: install its venv package (on Debian python3-venv)." >&2; \
	  exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r requirements/uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode \
	  -r requirements/dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --offline -e .
	$(BIN)/python -m orchestrator.dev.frontend
	touch $@

# Each process of the demo imports the same modules: compiled once, it starts seconds sooner.
compile: $(STAMP)
	@$(BIN)/python -m compileall -q orchestrator channels migrations

demo: compile ## Start everything with a sandbox to play in; Ctrl-C ends it
	@$(BIN)/avtale demo

up: compile ## Start the service with servers of its own; Ctrl-C ends it, the data stays
	@$(BIN)/avtale up

test: compile ## Run the tests that need nothing but Python
	$(PYTEST) -m 'not system'

test-system: compile ## Run the tests with Debian's Postfix, Dovecot and Chromium (as root)
	$(PYTEST) -m system

faults: compile ## Kill, stop and cut real processes for three minutes, and count what left
	$(BIN)/python -m tests.faults --jobs 2 --json var/faults-quick.json

faults-full: compile ## The same with 20,000 messages, 100 kills and each crash point 50 times
	$(BIN)/python -m tests.faults --full --jobs 2 --json docs/reliability.json --page docs/reliability.md

# On a machine that does nothing else. The exit code says whether every bound is met.
bench: compile ## Measure every path beside what the machine can do, about ten minutes
	$(BIN)/python -m bench --json docs/performance.json --page docs/performance.md

bench-quick: compile ## The same on a small scale: whether it can be measured, not how fast it is
	$(BIN)/python -m bench --quick --json var/bench-quick.json

lint: $(STAMP) ## Check style, types, layers, migrations and what must not be committed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m orchestrator.dev.check_migrations
	$(BIN)/python -m orchestrator.dev.check_tree

format: $(STAMP) ## Let ruff tidy the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Choose versions anew within pyproject's bounds and pin them with hashes
	test -x $(BIN)/uv
	$(COMPILE) --extra embedded -o requirements/run.lock
	$(COMPILE) --extra embedded --extra dev -c requirements/run.lock -o requirements/dev.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 requirements/node.in -c requirements/dev.lock -o requirements/node.lock
	$(BIN)/python -m orchestrator.dev.frontend --lock

screenshots: compile ## Take pictures of the pages on a desktop and a phone width (needs Chromium)
	$(BIN)/python -m orchestrator.dev.screenshots

clean: ## Remove what was built, and the demo's data
	rm -rf .venv var/demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
