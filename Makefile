# make demo and make test each need a Debian machine with Python 3.11 and pip, and nothing else.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test test-all check docs bench clean

# Rebuilt when what is installed should change. uv or pip, whichever is there: pip comes with Python.
.venv/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv || python3 -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/ready
	@echo '$$ corpus build ja_finance'
	@$(BIN)/corpus build ja_finance; status=$$?; \
	if [ $$status -eq 3 ]; then \
		echo 'Some inputs of the sample are broken on purpose: the build ends with status 3 and names them above.'; \
	else exit $$status; fi

test: .venv/ready
	$(BIN)/python -m pytest -q

test-all: .venv/ready
	$(BIN)/python -m pytest -q -m ''

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/ready
	$(BIN)/python -m corpus.reference docs

bench: .venv/ready
	$(BIN)/python benchmarks/build.py

clean:
	rm -rf .venv builds dist
