# Every target works on a fresh machine with Python 3.11 or newer and make: uv is brought into .tools, and everything
# else into .venv.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	if command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then command -v $$p; break; fi; done)
UV := .tools/bin/uv
RUN := $(UV) run --frozen --no-sync
STAMP := .venv/.installed
ARGS ?=
WORKERS ?= auto

# Tests start Python often: without bytecode each start of a server compiles a thousand modules again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install demo test coverage lint types check migrate bench docs format clean

help: ## Show the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  \1\t\2/' | expand -t 14

$(UV):
	@test -n "$(PYTHON)" || { echo "Argosy needs Python 3.11 or newer on the PATH" >&2; exit 1; }
	@$(PYTHON) -m venv .tools || { echo "python3 -m venv failed: install the python3-venv package" >&2; exit 1; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'

$(STAMP): $(UV) pyproject.toml uv.lock
	@$(UV) sync --frozen --quiet --python "$(PYTHON)" --all-extras --group dev
	@touch $(STAMP)

install: $(STAMP) ## Bring everything into .venv

demo: $(STAMP) ## The main job on real data; `make demo ARGS=--exit` ends after it
	@$(RUN) argosy demo $(ARGS)

test: $(STAMP) ## All tests, on SQLite and PostgreSQL
	@$(RUN) pytest -n $(WORKERS) --dist worksteal $(ARGS)

coverage: $(STAMP) ## All tests again, with the coverage gate; takes half as long again
	@rm -f .coverage .coverage.*
	@$(RUN) pytest -n $(WORKERS) --dist worksteal --cov --cov-report= $(ARGS)
	@$(RUN) coverage report

lint: $(STAMP) ## Format, rules and import contracts
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) lint-imports

types: $(STAMP) ## Strict types
	@$(RUN) mypy

check: lint types ## Everything but the tests
	@$(UV) lock --check --quiet
	@$(RUN) python -m tools.env_example --check
	@$(RUN) python -m tools.proto --check
	@$(RUN) python -m tools.check_migrations
	@$(RUN) python -m tools.check_docs

migrate: $(STAMP) ## Bring the database of the settings up to date
	@$(RUN) argosy db upgrade

bench: $(STAMP) ## Compare predictions with other model servers; `make bench ARGS="--peers argosy,bare"`, or ARGS=lists
	@UV=$(abspath $(UV)) $(RUN) python -m bench $(ARGS)

docs: $(STAMP) ## Check the documentation: links, snippets, generated tables
	@$(RUN) python -m tools.check_docs

format: $(STAMP) ## Format the code
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

clean: ## Remove everything that is made
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	@rm -rf argosy-data dist build htmlcov .bench
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
