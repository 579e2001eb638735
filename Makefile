# Everything here works in a fresh clone; the tools come from requirements.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install lint check test nightly requirements

install: $(VENV)/.installed

$(VENV)/.installed: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict run.py gateway handlers schemas

# Before each commit: format, lint, types, the fast tests. No network.
check: lint
	$(BIN)/python -m pytest -q -m "not slow and not nightly" --ignore=tests/e2e

# The same tests as the README's second command.
test: install
	$(BIN)/python -m pytest -q

# Long soaks, fuzzing, restarts under load; the last figures stand in docs/.
# atheris is there for Linux and not for every Python: without it its tests skip.
nightly: install
	-$(BIN)/pip install --quiet --disable-pip-version-check "atheris>=3,<4"
	$(BIN)/python -m pytest -q -n0 -m nightly

# requirements.in → requirements.txt; UPGRADE=--upgrade takes newer releases.
requirements: install
	$(BIN)/pip install --quiet --disable-pip-version-check "uv>=0.9"
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command "make requirements" $(UPGRADE) \
	  requirements.in -o requirements.txt
