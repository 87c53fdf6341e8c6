# bitwright's development commands. `make help` lists them; everything lives in .venv.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed.stamp
TESTS_STAMP := $(VENV)/tests.stamp
# pynq's own environment, for the simulated board; BITWRIGHT_PYNQ tells the tests of another folder
PYNQ_VENV := .venv-pynq
PYNQ_STAMP := $(PYNQ_VENV)/installed.stamp
SOURCES := sw hw sim boards tests bench tools/site_pages.py

# mkdocs and its parts, for `make site`: an environment of its own, since nothing else needs them
SITE_VENV := .venv-site
SITE_STAMP := $(SITE_VENV)/installed.stamp

# of `make fuzz`: how long, the first network's seed, and cycles of each network
SECONDS ?= 600
SEED ?= 0
CYCLES ?= 150000

# of `make designs`: how many, how many faults that show, and what is done (a run that was stopped goes on from there)
DESIGNS ?= 300
FAULTS ?= 50
LOG ?= designs.jsonl

# of `make graphs`: how many, and what is done
GRAPHS ?= 500
GRAPHS_LOG ?= graphs.jsonl

# of `make prove`: proofs or groups of them by name, and whether those of continuous integration are enough
PROOFS ?=
QUICK ?=

# of `make coverage`: tests of the ground that run in this process, and the share of lines, in per cent, below which it fails
GROUND_TESTS := $(addprefix tests/sw/test_,network_rules.py golden.py golden_conv.py graph.py operators.py plan.py \
  framing.py conv_rules.py rows_of_encodings.py few_bits.py class_scores.py keys.py registers.py verilog_memories.py)
LEAST_COVERED := 65

# cocotb's and Verilator's own parallel builds follow this too
JOBS ?= 2

.PHONY: help demo test test-all coverage fuzz designs graphs prove lint format bench costs site release clean distclean env pynq-env

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

env: $(TESTS_STAMP) ## make or refresh .venv (the other targets do it by themselves)

$(STAMP): pyproject.toml requirements-train-cpu.txt
	@tools/make_venv $(VENV)
	@touch $@

$(TESTS_STAMP): $(STAMP) pyproject.toml
	@tools/make_venv $(VENV) --tests
	@touch $@

pynq-env: $(PYNQ_STAMP) ## make .venv-pynq, which the tests of the simulated board need (Python 3.10 to 3.12)

$(PYNQ_STAMP): tools/make_pynq_venv
	@tools/make_pynq_venv $(PYNQ_VENV)
	@touch $@

demo: $(STAMP) ## train digits, generate Verilog, prove it bit-exact: a few minutes
	@$(BIN)/bitwright demo --out demo-out

test: $(TESTS_STAMP) ## all tests but the slow ones (PYTEST="-k name" to choose)
	@echo "running the tests on $(JOBS) processes"
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal $(PYTEST)

test-all: $(TESTS_STAMP) ## the slow tests too
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal --slow $(PYTEST)

coverage: $(TESTS_STAMP) ## how many lines of the ground (bitwright_core) its own tests reach
	@COVERAGE_FILE=$(VENV)/coverage $(BIN)/python -m pytest -q -n $(JOBS) --cov=bitwright_core \
	  --cov-report=term:skip-covered --cov-fail-under=$(LEAST_COVERED) $(GROUND_TESTS)

fuzz: $(TESTS_STAMP) ## random accelerators under random traffic (SECONDS=600 SEED=0; CYCLES of each)
	@$(BIN)/python -m tests.fuzz.fuzz --seconds $(SECONDS) --seed $(SEED) --cycles $(CYCLES)

designs: $(TESTS_STAMP) ## random designs in both engines and the golden model, planted faults (DESIGNS=300 FAULTS=50 LOG=designs.jsonl)
	@$(BIN)/python -m tests.sim.random_designs --designs $(DESIGNS) --faults $(FAULTS) --log $(LOG)

graphs: $(TESTS_STAMP) ## random graphs of all operators: golden model, torch, ONNX, Icarus, Verilator (GRAPHS=500 GRAPHS_LOG=graphs.jsonl)
	@$(BIN)/python -m tests.sim.random_graphs --graphs $(GRAPHS) --log $(GRAPHS_LOG)

prove: $(TESTS_STAMP) ## all proofs of docs/proofs.md, with a table (PROOFS="window scores", QUICK=1)
	@$(BIN)/python -m tests.proofs.prove --jobs $(JOBS) $(if $(QUICK),--quick) $(PROOFS)

lint: $(TESTS_STAMP) ## ruff and mypy
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy

format: $(TESTS_STAMP) ## let ruff fix and format
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

bench: $(TESTS_STAMP) ## measure, beside the goals; writes bench-out/bench.json
	@$(BIN)/python bench/bench.py --out bench-out

costs: $(STAMP) ## how the cost model's constants suit what Yosys counted (FAMILY=ice40; docs/sizing.md)
	@$(BIN)/python bench/costs.py fit $(or $(FAMILY),ice40)

$(SITE_STAMP): requirements-pages.txt
	@python3 -m venv $(SITE_VENV)
	@$(SITE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-pages.txt
	@touch $@

site: $(SITE_STAMP) ## the documents as a site in site/, every link checked (then open site/index.html)
	@NO_MKDOCS_2_WARNING=1 $(SITE_VENV)/bin/mkdocs build --quiet --strict
	@echo "site: site/index.html"

release: $(STAMP) $(SITE_STAMP) ## wheel, source archive, licences and SBOM in dist/ (uploads nothing; CONTRIBUTING.md)
	@$(SITE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-release.txt
	@tools/make_release $(VENV)

clean: ## remove what demo, bench, tests and builds wrote
	@rm -rf demo-out bench-out build dist site sim_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find sw hw sim boards tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv, .venv-pynq and .venv-site, too
	@rm -rf $(VENV) $(PYNQ_VENV) $(SITE_VENV)
