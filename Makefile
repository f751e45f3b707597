# make help        what there is to make: these lines
# make demo        a Vault and a database backed up, lost, and recovered, before your eyes (KEEP=1 leaves the lab up)
# make test        the whole suite
# make test-crash  every place where a function can die, and every action failing in every scenario (some two hours)
# make bench       measure, and put the figures into benchmarks/results/latest.json and the README (about half an hour)
# make lint        how the code is formatted, linted and typed; make test looks too
# make docs        write what follows from the code into the documents
# make synth       the CloudFormation templates, into cdk.out
# make install     what the others need, into this checkout; each of them does it by itself
# make clean       remove everything that was installed and built here

PYTHON ?= python3
CDK_VERSION := 2.1148.1
UV_VERSION := 0.13.9
MANIFESTS := requirements.txt lambdas/requirements.txt lab/emulator-requirements.txt Makefile
INSTALLED := .build/installed

# The AWS CDK still runs on Node.js 20, and says at every start that it will not for long.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
# Bytecode in one place: the checkout stays as it is, and nothing (the CDK above all) is compiled at every start.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.build/bytecode

.PHONY: help demo test test-crash bench lint docs synth install clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

install: $(INSTALLED)

$(INSTALLED): $(MANIFESTS)
	@lab/check-tools.sh $(PYTHON)
	@echo "Installing into this checkout: .venv, .venv-emulator, .node"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@.venv/bin/python -m uv pip install --quiet --python .venv/bin/python --requirements requirements.txt
	@$(PYTHON) -m venv .venv-emulator
	@.venv/bin/python -m uv pip install --quiet --python .venv-emulator/bin/python --requirements lab/emulator-requirements.txt
	@npm install --loglevel=error --no-progress --no-save --no-package-lock --no-audit --no-fund --prefix .node aws-cdk@$(CDK_VERSION) >/dev/null
	@mkdir -p .build && touch $(INSTALLED)

demo: $(INSTALLED)
	@lab/check-tools.sh .venv/bin/python
	@.venv/bin/python -m lab.demo $(if $(KEEP),--keep)

test: $(INSTALLED)
	@.venv/bin/python -m pytest -n 3 --no-loadscope-reorder

test-crash: $(INSTALLED)
	@.venv/bin/python -m pytest -m crash -n 8 -vv --no-loadscope-reorder tests/crash tests/scenarios

bench: $(INSTALLED)
	@lab/check-tools.sh .venv/bin/python
	@.venv/bin/python -m benchmarks $(if $(ONLY),--only $(ONLY))

lint: $(INSTALLED)
	@.venv/bin/ruff format --check --quiet . || (echo "Run: .venv/bin/ruff format ." && exit 1)
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy --no-error-summary

docs: $(INSTALLED)
	@.venv/bin/python -m docs.generate

synth: $(INSTALLED)
	@.node/node_modules/.bin/cdk synth --quiet

clean:
	@rm -rf .venv .venv-emulator .node .build cdk.out .mypy_cache .pytest_cache .ruff_cache .hypothesis
