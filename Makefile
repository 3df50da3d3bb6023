# Two commands are all that a newcomer needs: make demo, make test.
# Everything runs in a virtual environment of its own, made with PYTHON.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test coverage lint types docs clean

# pip's work is skipped while setup.cfg is older than the stamp.
$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[cli,images,simulator,socks,test]'
	touch $@

$(VENV)/.linters: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[lint]'
	touch $@

demo: $(VENV)/.installed  ## watch a simulated robot for a few seconds
	$(BIN)/plexus-sync demo

test: $(VENV)/.installed  ## the whole test suite, with the coverage of every branch
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(VENV)/.linters  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.linters  ## strict types, of the package and of typed calls
	$(BIN)/mypy

clean:  ## forget all that was made
	rm -rf $(VENV) build dist *.egg-info .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache
