# make demo and make test each need a Debian machine with Python 3.11 and pip.
PYTHON ?= python3.11
EXTRAS ?= dev
BIN := .venv/bin

.PHONY: demo test test-all check docs bench faults paper clean

# Made again when what is installed should change. Debian keeps what `venv` needs to bring pip along in a package of its
# own; where that is missing, the pip that is there installs itself.
.venv/ready: pyproject.toml constraints.txt
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv 2>/dev/null || \
	{ $(PYTHON) -m venv --without-pip .venv && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

demo: .venv/ready
	@echo '$$ corpus build ja_finance'
	@$(BIN)/corpus build ja_finance; status=$$?; \
	if [ $$status -eq 3 ]; then \
		echo 'Some inputs of the sample are broken on purpose: the build ends with status 3 and names them above.'; \
	else exit $$status; fi

test: .venv/ready
	$(BIN)/python -m pytest -q -n auto

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

faults: .venv/ready
	$(BIN)/python -m benchmarks.faults --engine $(or $(ENGINE),local)

# The experiment of the papers; what it needs is installed beside the rest.
paper: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS),train]'
	$(BIN)/python -m benchmarks.paper.experiment

clean:
	rm -rf .venv builds dist
