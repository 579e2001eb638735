# Everything here works in a fresh clone; the tools come from tests/requirements.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := pip install --quiet --disable-pip-version-check
# The tests that need neither seconds each nor foreign programs.
PARTS := failures hostile clients soak package operator dashboard sign_in cluster
APART := not nightly $(PARTS:%=and not %)
FAST := -m "not slow and $(APART)" --ignore=tests/e2e

.PHONY: install lint check test parts coverage mutants nightly advisories canary clients requirements assets screenshots

install: $(VENV)/.installed

$(VENV)/.installed: tests/requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/$(PIP_INSTALL) -r tests/requirements.txt
	touch $@

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict run.py gateway handlers schemas
	$(BIN)/mypy --config-file tests/mypy.ini tests

# Before each commit: format, lint, types, the fast tests. No network.
check: lint
	$(BIN)/python -m pytest -q $(FAST)

# The same tests as the README's second command.
test: install
	$(BIN)/python -m pytest -q

# What stands apart from these, each part for itself.
parts: install
	for part in $(PARTS); do \
	  $(BIN)/python -m pytest -q -m "$$part and not nightly" || exit 1; done

# Which lines and branches the fast tests run, per file.
coverage: install
	$(BIN)/python -m pytest -q $(FAST) --cov --cov-report=term:skip-covered

# Which changes to the code no fast test notices. MUTANTS=n, SEED=n: another sample.
MUTANTS ?= 200
SEED ?= 1
mutants: install
	$(BIN)/python -m tests.tools.mutants --mutants $(MUTANTS) --seed $(SEED)

# SDKs and programs of others, each installed for itself in .clients, at a gateway: what
# each of them makes of the answers. Some 2 GB and ten minutes, the first time.
# Then what the newest Codex CLI on npm sends that tests/captures do not show, which
# fails nothing; and the real CLI at a failing upstream, straight and through the gateway.
# CODEX_BIN: another version than the newest of package.json. Some 20 minutes.
clients: install
	$(BIN)/python -m tests.tools.clients
	-$(BIN)/python -m tests.tools.cli_news
	$(BIN)/python -m tests.tools.cli_failures

# Long soaks, fuzzing, restarts under load; the last figures stand in docs/.
# atheris is there for Linux and not for every Python: without it its tests skip.
# An index that cannot be asked about advisories fails it, too, after all else.
nightly: install
	-$(BIN)/$(PIP_INSTALL) "atheris>=3,<4"
	$(BIN)/python -m tests.tools.advisories; asked=$$?; \
	$(BIN)/python -m pytest -q -n0 -m nightly && exit $$asked

# What PyPI, or the index that pip is set to, knows against what is pinned.
advisories: install
	$(BIN)/python -m tests.tools.advisories

# The fast tests on the next aiohttp and Tornado, pre-releases included, past our own
# upper bounds. What fails here will fail for us when they are released.
CANARY := .canary
canary:
	test -x $(CANARY)/bin/python || $(PYTHON) -m venv $(CANARY)
	$(CANARY)/bin/$(PIP_INSTALL) -r tests/requirements.txt
	$(CANARY)/bin/$(PIP_INSTALL) --pre --upgrade aiohttp tornado
	$(CANARY)/bin/pip list | grep -iE '^(aiohttp|tornado) '
	$(CANARY)/bin/python -m pytest -q $(FAST)

# The dependencies of pyproject.toml → requirements.txt, and the same with the tests' own;
# UPGRADE=--upgrade takes newer releases.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make requirements" $(UPGRADE)
requirements: install
	$(BIN)/$(PIP_INSTALL) "uv>=0.9"
	$(COMPILE) --extra postgresql pyproject.toml -o requirements.txt
	$(COMPILE) --extra postgresql pyproject.toml tests/requirements.in -o tests/requirements.txt

# What the dashboard ships of others: node_modules → handlers/dashboard/static/vendor,
# after a change of package.json.
assets: install
	npm ci --silent --no-audit --no-fund
	$(BIN)/python -m tests.tools.assets

# The dashboard of a gateway with fourteen days of use, as docs/dashboard.md shows it.
screenshots: install
	$(BIN)/python -m tests.tools.screenshots
	$(BIN)/python -m tests.tools.sign_in_pictures
