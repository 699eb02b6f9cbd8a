# `make run` needs Python 3.11 or newer, and nothing else.

PYTHON ?= python3
SOURCE ?= samples/photographs
OUT ?= out
OPTIONS ?=

VENV := .venv
BIN := $(VENV)/bin

export SOURCE OUT
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/$(VENV)
export UV_PYTHON_DOWNLOADS := never
# Imports take twice as long where nothing is compiled, whatever the shell asks for.
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

.PHONY: help run setup unit integration test coverage slow soak check format lock sbom release clean
.DELETE_ON_ERROR:

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

run: $(VENV)/run.stamp $(if $(filter samples samples/%,$(SOURCE)),samples/.made) ## cluster SOURCE (its own samples by default) into OUT
	$(BIN)/shoal run "$$SOURCE" --out "$$OUT" $(OPTIONS)

setup: $(VENV)/dev.stamp ## install everything for development into .venv

unit: $(VENV)/dev.stamp ## run the tests that need no server
	$(BIN)/pytest -m "not slow and not soak" tests/unit

integration: $(VENV)/dev.stamp ## run the tests with a real Redis
	$(BIN)/pytest -m "not slow and not soak" tests/integration

test: $(VENV)/dev.stamp ## run all tests but the long ones
	$(BIN)/pytest -m "not slow and not soak"

coverage: $(VENV)/dev.stamp ## run the tests of one process, and print what they do not reach
	$(BIN)/pytest -m "not slow and not soak" tests/unit tests/integration --cov

slow: $(VENV)/dev.stamp ## run the long tests, of faults and at scale
	$(BIN)/pytest -m slow

soak: $(VENV)/dev.stamp ## run every fault at every point, which takes long
	$(BIN)/pytest -m soak

check: $(VENV)/dev.stamp ## format, lint, types and import directions: what CI checks
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/lint-imports

format: $(VENV)/dev.stamp ## format and mend what can be mended
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: | $(BIN)/uv ## renew uv.lock, against PyPI and nothing else
	$(BIN)/uv lock --default-index https://pypi.org/simple

sbom: $(VENV)/dev.stamp ## list what the wheel and the image ship and need, as CycloneDX, in dist
	mkdir -p dist
	$(BIN)/python .ci/sbom.py dist/shoal-$$($(BIN)/uv version --short).cdx.json

release: $(VENV)/dev.stamp ## build what is published of the tagged version, in dist
	.ci/release

clean: ## remove everything that was made, .venv included
	rm -rf $(VENV) dist out samples .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Shoal needs Python 3.11 or newer, this is %d.%d; name another with: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

# --inexact: `make run` after `make test` leaves the development tools where they are.
$(VENV)/run.stamp: pyproject.toml uv.lock | $(BIN)/uv
	$(BIN)/uv sync --quiet --locked --no-dev --inexact
	@touch $@

$(VENV)/dev.stamp: pyproject.toml uv.lock | $(BIN)/uv
	$(BIN)/uv sync --quiet --locked
	@touch $@ $(VENV)/run.stamp

samples/.made: benchmarks/sample_images.py benchmarks/views.py | $(VENV)/run.stamp
	rm -rf samples/photographs samples/digits
	$(BIN)/python -m benchmarks.sample_images samples
	@touch $@
