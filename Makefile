# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_OUT ?= build/demo

.PHONY: setup demo test test-long lint types bench clean

setup: $(BIN)/.installed

# The constraints file names torch's exact version, so that set-up takes one known build.
$(BIN)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/grokinterp analyze checkpoints/nanda-mainline --out $(DEMO_OUT)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/pyright

test: lint types
	$(BIN)/pytest -q -m "not long"

test-long: setup
	$(BIN)/pytest -q -m long

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf build $(VENV) .pytest_cache .ruff_cache
