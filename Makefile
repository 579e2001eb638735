# Everything here works in a fresh clone; the tools come from requirements.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install check test nightly

install: $(VENV)/.installed

$(VENV)/.installed: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

# Before each commit: format, lint, types, the fast tests.
check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict run.py gateway handlers schemas
	$(BIN)/python -m pytest -q -m "not slow and not nightly" --ignore=tests/e2e

# What the README's second command runs: all but what takes minutes each.
test: install
	$(BIN)/python -m pytest -q

# Long soaks, fuzzing, restarts under load; the last figures stand in docs/.
nightly: install
	$(BIN)/python -m pytest -q -m nightly
