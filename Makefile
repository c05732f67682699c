# Commands for contributors. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export TF_CPP_MIN_LOG_LEVEL ?= 3

BOOTSTRAP := .venv-bootstrap
# Installs packages of the lock, by name, into $(BOOTSTRAP); what they require must be named too.
bootstrap = awk -v names='$(1)' '/^[a-z]/ {split($$0, pin, "=="); on = index(" " names " ", " " pin[1] " ")} on' requirements.lock | \
	$(PYTHON) -m pip install --quiet --upgrade --no-deps --target $(BOOTSTRAP) --require-hashes --requirement /dev/stdin

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint coverage docs notebooks bench bench-engine bench-scale bench-hardening public-models torture wheel sbom lock audit clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP)  ## create the environment in .venv from requirements.lock

# Debian's python3 has no ensurepip unless python3-venv is installed; virtualenv needs only pip.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"error: found Python {v[0]}.{v[1]}, expected 3.11 to 3.13: run make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv --clear $(VENV) 2>/dev/null || { \
	  $(call bootstrap,virtualenv distlib filelock packaging platformdirs python-discovery) && \
	  PYTHONPATH=$(BOOTSTRAP) $(PYTHON) -m virtualenv --quiet --clear $(VENV); }
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## the full pipeline on synthetic images: teachers, distillation, QAT, int8, firmware
	$(BIN)/python -m keras_satkd.distill --config demo --workdir runs/demo

test: $(STAMP) lint  ## lint, then all tests, in two processes
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(STAMP)  ## style, types and declared dependencies, without tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry .
	$(BIN)/pre-commit validate-config

coverage: $(STAMP)  ## the tests, and the lines and branches that no test runs
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov

docs: $(STAMP)  ## build the pages of docs/ as a site in build/site; warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -n -q -d build/doctrees docs build/site

notebooks: $(STAMP)  ## run all notebooks and save their outputs
	$(BIN)/python -m tests.notebook_runs

bench: $(STAMP)  ## speed, as ratios measured in one run
	$(BIN)/python -m tests.bench

bench-engine: $(STAMP)  ## instructions, cycles by a model, flash and RAM of the row engine on emulated cores; BAKENN=python adds bakenn from its environment
	PYTHONPATH=. $(BIN)/python tests/engine_bench.py $(if $(BAKENN),--bakenn $(BAKENN))

bench-scale: $(STAMP)  ## price of images and logits that stay on disk, and memory at 10 thousand to 1 million tiles
	$(BIN)/python -m tests.scale_bench

bench-hardening: $(STAMP)  ## price of each level of --harden on emulated cores, and what it finds of flipped bits
	PYTHONPATH=. $(BIN)/python tests/hardening_bench.py

public-models: $(STAMP)  ## export the public models in ../shared/models and write the table of docs/public_models.md
	PYTHONPATH=.:tests $(BIN)/python tests/public_models.py

torture: $(STAMP)  ## kills, flipped bits, memory bombs and damaged models, for at most twenty minutes; not part of make test
	PYTHONPATH=.:tests timeout 1200 $(BIN)/python tests/torture.py

# Without isolation, the build uses the setuptools of the lock.
wheel: $(STAMP)  ## build the wheel and the source archive in dist
	$(BIN)/python -m build --no-isolation --outdir dist

sbom: $(STAMP)  ## list in dist what the wheel installs with the extra train, by the lock: a software bill of materials (CycloneDX)
	@mkdir -p build/sbom dist
	$(BIN)/uv pip compile $(COMPILE) --extra train --constraint requirements.lock --output-file build/sbom/requirements.txt pyproject.toml
	version=$$($(BIN)/python -c 'import firmware_export; print(firmware_export.__version__)') && \
	sed "s/^dynamic = .*/version = \"$$version\"/" pyproject.toml > build/sbom/pyproject.toml && \
	$(BIN)/python -W ignore -m cyclonedx_py requirements build/sbom/requirements.txt --pyproject build/sbom/pyproject.toml --mc-type library \
	  --output-reproducible --output-file dist/keras_satkd-$$version.cdx.json

# Hashes of the files for all platforms and Pythons; no registry is named.
COMPILE := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

# Needs no environment: after a merge conflict in requirements.lock, take either side and call this.
lock:  ## write requirements.lock, with hashes, from pyproject.toml; versions stay where they fit
	$(call bootstrap,uv)
	$(BOOTSTRAP)/bin/uv pip compile $(COMPILE) --extra test --output-file requirements.lock pyproject.toml

audit: $(STAMP)  ## known vulnerabilities of the packages in requirements.lock
	$(BIN)/pip-audit --require-hashes --disable-pip --requirement requirements.lock

clean:  ## remove the environment and the caches
	rm -rf $(VENV) $(BOOTSTRAP) build dist *.egg-info .coverage* .pytest_cache .ruff_cache .mypy_cache .hypothesis
