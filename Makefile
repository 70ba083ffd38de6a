# make demo: a real model routes the quickstart's prompts, with no key.  make help: the rest.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# The newest other Python: pyenv's, else one on the path; empty where there is none.
NEWEST ?= $(or $(shell ls -d $(HOME)/.pyenv/versions/3.1[2-9]*/bin/python 2>/dev/null | sort -V | tail -n 1),\
	$(shell command -v python3.14 || command -v python3.13 || command -v python3.12))
BIN := .venv/bin
QUICKSTART := notebooks/01_quickstart.ipynb

.PHONY: help demo lab test test-newest test-proxy check figures bench notebooks pictures docs release-check clean

help:
	@echo "make demo       install, route the quickstart on a local model, print what it cost"
	@echo "make lab        open JupyterLab on the quickstart"
	@echo "make test       lint, types and every test"
	@echo "make test-newest  what needs no browser, on the newest other Python here"
	@echo "make test-proxy  against a real LiteLLM proxy, in an environment of its own"
	@echo "make figures    lines, files and fragments of the code"
	@echo "make bench      the figures of the README, each a ratio within one run"
	@echo "make pictures   take the documents' pictures in a real JupyterLab"
	@echo "make notebooks  execute the notebooks again on the simulated ladder"
	@echo "make docs       build the pages of docs/ as a site, site/index.html"
	@echo "make release-check  build the release, install it on 3.11 and 3.13, use it there"
	@echo "make clean      remove what the others made"

demo: .venv/demo
	$(BIN)/nbroute run $(QUICKSTART) --profile local --out out

lab: .venv/lab
	$(BIN)/jupyter lab $(QUICKSTART)

test: .venv/test check
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-newest:
ifeq ($(strip $(NEWEST)),)
	@echo "There is no Python newer than $(PYTHON) here, so nothing to test with it."
else
	$(NEWEST) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check -e '.[local,test]'
	.venv-newest/bin/nbroute pull
	.venv-newest/bin/python -m pytest -n 2 --dist loadfile -m "not browser"
endif

test-proxy: .venv/test .venv-litellm/ready
	$(BIN)/python -m pytest tests/providers/test_litellm_proxy.py

.venv-litellm/ready:
	$(PYTHON) -m venv .venv-litellm
	.venv-litellm/bin/pip install --quiet --disable-pip-version-check 'litellm[proxy]==1.108.7'
	@touch $@

figures: .venv/test
	$(BIN)/python tools/figures.py

check: .venv/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/test .venv-peers/ready
	$(BIN)/python tests/benchmarks/run.py

.venv-peers/ready:
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --disable-pip-version-check 'litellm==1.83' 'openai>=3' jupyter-ai-magics ipython
	@touch $@

notebooks: .venv/test
	for one in notebooks/*.ipynb; do \
		NBROUTE_PROFILE=simulated NBROUTE_LEDGER=$$(mktemp -d)/ledger.sqlite \
		$(BIN)/python -m jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False "$$one" || exit 1; done

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nbroute needs Python 3.11 or newer; call make PYTHON=/path/to/python3.11")'
	@echo "Making a virtual environment in .venv ..."
	$(PYTHON) -m venv .venv

# Modules are compiled when they are first imported: most never are.
.venv/demo: .venv/bin/python pyproject.toml
	@echo "Installing nbroute, llama.cpp and JupyterLab (120 MB to download, once) ..."
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile -e '.[local,lab]'
	@echo "Getting the model SmolLM2 (93 MB, once) ..."
	$(BIN)/nbroute pull
	@touch $@

.venv/lab: .venv/demo
	@echo "Installing what the other notebooks need (about 90 MB to download, once) ..."
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile -e '.[embeddings,learn,charts]'
	@touch $@

.venv/test: .venv/demo
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[local,test]'
	@touch $@

pictures: .venv/test
	$(BIN)/python tools/picture.py docs/pictures

docs: .venv-docs/ready
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet
	@echo "site/index.html"

.venv-docs/ready:
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check 'mkdocs-material>=9.6,<10'
	@touch $@

release-check:
	$(PYTHON) tools/release_check.py

clean:
	rm -rf dist .venv .venv-newest .venv-peers .venv-litellm .venv-docs out site .pytest_cache .ruff_cache .mypy_cache
