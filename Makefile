# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_OUT ?= build/demo
TL4 := .venv-tl4
# A process per core and a thread in each; files stay together for the fixtures they share.
PARALLEL := OMP_NUM_THREADS=1
FILES_APART := -n auto --dist loadfile
# What computes no network, or draws what others have measured, is the same under every TransformerLens.
WITHOUT_NETWORKS := --ignore tests/fourier --ignore tests/tasks --ignore tests/report --ignore tests/test_docs.py

.PHONY: setup demo test test-tl4 test-long lint types bench docs notebooks clean

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
	$(PARALLEL) $(BIN)/pytest -q -m "not long" $(FILES_APART)

# A second environment, with TransformerLens 4; what the two compute is compared.
$(TL4)/.installed: pyproject.toml constraints.txt constraints-tl4.txt
	test -x $(TL4)/bin/python || $(PYTHON) -m venv $(TL4)
	grep -v '^transformer-lens==' constraints.txt | cat - constraints-tl4.txt > $(TL4)/constraints.txt
	$(TL4)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint $(TL4)/constraints.txt --editable '.[dev]'
	touch $@

test-tl4: setup $(TL4)/.installed
	$(PARALLEL) GROKINTERP_OTHER_PYTHON=$(BIN)/python $(TL4)/bin/pytest -q -m "not long" $(FILES_APART) $(WITHOUT_NETWORKS)

test-long: setup
	$(PARALLEL) $(BIN)/pytest -q -m long $(FILES_APART)

bench: setup
	$(BIN)/python -m benchmarks

# Needs no network, and neither does reading build/site/index.html.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html

# Runs the sources `notebooks/*.py` and keeps them with their outputs beside them.
notebooks: setup
	$(BIN)/python notebooks/_execute.py

clean:
	rm -rf build $(VENV) $(TL4) .pytest_cache .ruff_cache
