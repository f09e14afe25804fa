# make book | test | lab | bench | lint | clean. Each sets up .venv by itself when it is missing or stale.
# Needs GNU make and Python 3.11 or later (the pinned tools ask for it; facelib itself runs on 3.10).

PYTHON ?= python3
JOBS ?= 2
PORT ?= 8000

SHELL := /bin/sh
BIN := .venv/bin
PY := $(BIN)/python
STAMP := .venv/.up-to-date
INSTALLED := .venv/.installed
LIBRARY := $(shell find facelib -name '*.py' 2>/dev/null)

# Kernels and tools come from .venv, never from the user's own Jupyter folders.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export JUPYTER_PREFER_ENV_PATH := 1
unexport JUPYTER_PATH
export PYTHONNOUSERSITE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# JOBS test processes share the machine: more threads than cores make all of them slow.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help setup book links test lab bench lint clean distclean

help:
	@echo "make book       run the lessons and render the book into _build/html"
	@echo "make test       run the tests, then every notebook against its stored outputs"
	@echo "make lab        open the lessons in JupyterLab"
	@echo "make bench      run the measurements in benchmarks/"
	@echo "make lint       check style, format and types"
	@echo "make clean      remove what was built; make distclean removes .venv too"
	@echo
	@echo "The first of them sets up .venv (about 3 minutes and 7 GB, most of it PyTorch)."
	@echo "Another Python: make book PYTHON=python3.12    (now: $(PYTHON))"

setup: $(STAMP)

# A .venv does not survive a move of the folder: its scripts hold the old path.
MOVED := $(shell [ "$$(cat $(STAMP) 2>/dev/null)" = "$(CURDIR)" ] || rm -f $(STAMP))

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  command -v "$(PYTHON)" >/dev/null && is=$$("$(PYTHON)" --version 2>&1) || is="not found"; \
	  echo "Python 3.11 or later is needed to set up; '$(PYTHON)' is $$is."; \
	  echo "Name another one, as in: make $(or $(MAKECMDGOALS),book) PYTHON=python3.12"; \
	  echo "or use conda: conda env create -f environment.yml"; exit 1; }
	@{ $(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' && \
	   grep -qF "$(CURDIR)/.venv" $(BIN)/activate; } 2>/dev/null || { \
	  echo "[1/3] creating .venv with $$($(PYTHON) --version) (a few seconds)"; \
	  $(PYTHON) -m venv --clear .venv || { \
	    echo "Could not create .venv. On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }; }
	@echo "[2/3] installing $$(wc -l < requirements.lock | tr -d ' ') pinned packages (first time about 3 minutes, 7 GB)"
	@if [ ! -e $(INSTALLED) ]; then $(PY) -m pip install -r requirements.lock; else \
	  { $(PY) -m pip install -r requirements.lock || rm -f $(INSTALLED); } | grep -v "already satisfied"; \
	  [ -e $(INSTALLED) ]; fi
	@touch $(INSTALLED)
	@echo "[3/3] installing facelib from this folder (a few seconds)"
	@$(PY) -m pip install -q --no-deps --no-build-isolation -e .
	@echo "$(CURDIR)" > $@
	@echo "ready: .venv"

# The cache of executed lessons knows the notebooks, not the library: a change of facelib empties it.
_build/.library: $(LIBRARY)
	@mkdir -p _build && rm -rf _build/.jupyter_cache _build/.doctrees && touch $@

book: $(STAMP) _build/.library
	@echo "[book] running lessons that changed and rendering the pages (first time about 10 minutes)"
	@$(BIN)/jupyter-book build . -W --keep-going -n
	@echo
	@echo "The book is in _build/html. To read it:"
	@echo "    python3 -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html"
	@echo "    http://127.0.0.1:$(PORT)"

links: $(STAMP)
	@$(BIN)/jupyter-book build . --builder linkcheck

# Without a browser the page tests cannot run. At a desk that is said aloud and the rest runs; in CI it fails.
test: $(STAMP)
	@if $(PY) tools/browser.py >/dev/null 2>&1 || [ "$$CI" = true ]; then set --; else \
	  echo "WARNING: the page tests are left out:"; $(PY) tools/browser.py || true; set -- -m "not browser"; fi; \
	echo "[1/2] tests of the package, the book and the repository"; \
	$(ONE_THREAD) $(PY) -m pytest tests -n $(JOBS) --dist=loadfile "$$@"; first=$$?; \
	echo "[2/2] every notebook against its stored outputs"; \
	$(ONE_THREAD) $(PY) -m pytest --nbval notebooks -n $(JOBS) --dist=loadfile; second=$$?; \
	if [ "$$#" -gt 0 ]; then echo "WARNING: the page tests were left out (no browser found)"; fi; \
	[ $$first -eq 0 ] && [ $$second -eq 0 ]

lab: $(STAMP)
	@$(BIN)/jupyter lab notebooks

bench: $(STAMP)
	@for script in benchmarks/*.py; do \
	  [ -e "$$script" ] || { echo "no benchmarks yet"; break; }; \
	  echo "[bench] $$script"; $(PY) "$$script" || exit 1; done

lint: $(STAMP)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

clean:
	rm -rf _build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov .coverage
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean
	rm -rf .venv
