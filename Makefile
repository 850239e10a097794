# Every target does all its own set-up: a .venv from the hashed lock, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The tests start hundreds of processes: without bytecode on disk each would compile the house anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint bench bench-large interop fuzz lock clean

$(VENV)/.ready: requirements/lock.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with PYTHON=…") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/.ready   ## the main job on loopback: discover, query, retrieve, one merged summary
	$(BIN)/gateway demo $(ARGS)

test: $(VENV)/.ready   ## all tests that need pip alone
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.ready   ## format, rules, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.ready  ## figures, each as a ratio against a limit measured in the same run
	$(BIN)/python -m tests.bench $(ARGS)

bench-large: $(VENV)/.ready ## the exchange log at ten million records, grown in bulk; an hour at most, and 40 GB
	$(BIN)/python -m tests.bench log-large --rounds 1 $(ARGS)

interop: $(VENV)/.ready ## the same wires against software from other hands (JDK 17, Maven, Node 20)
	CORPUS_STEP=1 $(BIN)/python -m pytest -n 2 --dist loadfile --timeout 900 -q tests/ccda/test_writer.py \
		tests/ccda/test_html_corpus.py tests/gateway/exchange/test_summaries.py \
		tests/gateway/exchange/test_mail_cost.py tests/flows/test_crash.py
	$(BIN)/python -m pytest --override-ini addopts= --import-mode=importlib --timeout 1500 -q tests/interop $(ARGS)

fuzz: $(VENV)/.ready   ## mutated documents by the thousand; ARGS="--runs 100000", "mail", "cms --runs 100000"
	nice $(BIN)/python -m tests.fuzz $(ARGS)

lock:                  ## makes the hashed lock anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
		--extra development pyproject.toml requirements/build.in -o requirements/lock.txt --no-header

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache \
		tests/interop/target tests/interop/hapi/target tests/interop/verapdf/target tests/interop/direct/*/target tests/interop/medplum/node_modules tests/interop/nodesoap/node_modules
