# Two commands are all that a newcomer needs: make demo, make test.
# Everything runs in a virtual environment of its own, made with PYTHON.

PYTHON ?= python3
VENV ?= .venv
# The coverage of every branch; empty on other interpreters, where one measure is enough.
COVERAGE ?= --cov --cov-report=term
BIN = $(VENV)/bin

# The conformance suite is a program of Python 2.7, found where pyenv keeps it.
AUTOBAHN ?= .venv-autobahn
PYTHON2 ?= $(lastword $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/2.7.*/bin/python))

.PHONY: audit bench bench-quick conformance demo fuzz network soak test lint types docs clean

# pip's work is skipped while setup.cfg is older than the stamp.
$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --quiet --editable '.[cli,images,simulator,socks,test]'
	touch $@

$(VENV)/.linters: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --quiet --editable '.[lint]'
	touch $@

$(VENV)/.documents: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --quiet --editable '.[docs]'
	touch $@

$(VENV)/.benchmarks: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --quiet --editable '.[bench]'
	touch $@

$(VENV)/.fuzz: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --quiet --editable '.[fuzz]'
	touch $@

# An environment of its own, so that what asks is not among what is asked about.
$(VENV)/.audit: $(VENV)/.installed
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet --quiet pip-audit
	touch $@

# virtualenv 20.21 is the last that knows 2.7.
$(AUTOBAHN)/.installed:
	test -n "$(PYTHON2)" || { echo "Python 2.7 is not here: pyenv install 2.7.18, or set PYTHON2"; exit 1; }
	$(PYTHON) -m venv $(AUTOBAHN)/virtualenv
	$(AUTOBAHN)/virtualenv/bin/python -m pip install --quiet 'virtualenv<20.22'
	$(AUTOBAHN)/virtualenv/bin/python -m virtualenv --quiet --python $(PYTHON2) $(AUTOBAHN)/suite
	$(AUTOBAHN)/suite/bin/python -m pip install --quiet autobahntestsuite==25.10.1
	touch $@

demo: $(VENV)/.installed  ## watch a simulated robot for a few seconds
	$(BIN)/plexus-sync demo

test: $(VENV)/.installed  ## the whole test suite, with the coverage of every branch
	$(BIN)/python -m pytest -n 4 $(COVERAGE)

network: $(VENV)/.installed  ## links that lose, delay and swallow packets; needs Linux, root and iproute2
	$(BIN)/python -m pytest tests/network

lint: $(VENV)/.linters  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.linters  ## strict types, of the package and of typed calls
	$(BIN)/mypy

docs: $(VENV)/.documents  ## the documents in docs/_build/html, without a warning, and their doctests
	$(BIN)/sphinx-build -q -W --keep-going -n -b html docs docs/_build/html
	$(BIN)/sphinx-build -q -W --keep-going -n -b doctest docs docs/_build/doctest

bench: $(VENV)/.benchmarks  ## us and the others side by side, 10 minutes; writes docs/benchmarks.rst
	$(BIN)/python -m benchmarks.run

bench-quick: $(VENV)/.benchmarks  ## the same in 2 minutes, as a hint; writes to build/
	$(BIN)/python -m benchmarks.run --quick --out build

conformance: $(VENV)/.installed $(AUTOBAHN)/.installed  ## the Autobahn suite; writes docs/conformance.rst
	$(BIN)/python -m conformance --wstest $(AUTOBAHN)/suite/bin/wstest

fuzz: $(VENV)/.fuzz  ## a million inputs, 5 minutes; writes its figures to docs/reliability/
	$(BIN)/python -m fuzz --write docs/reliability

soak: $(VENV)/.installed  ## faults for 30 minutes, then the peers; writes to docs/reliability/
	$(BIN)/python -m soak --minutes 30 --write docs/reliability
	$(BIN)/python -m soak --compare --minutes 5 --write docs/reliability

audit: $(VENV)/.audit  ## known vulnerabilities of every package that is installed
	mkdir -p build
	$(BIN)/python -m pip freeze --exclude-editable > build/installed.txt
	$(VENV)/audit/bin/pip-audit --strict --disable-pip --no-deps --requirement build/installed.txt

clean:  ## forget all that was made
	rm -rf $(VENV) $(AUTOBAHN) build dist docs/_build *.egg-info .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache
