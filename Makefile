# Tinderbox: one target for each thing people do. `make` prints them.
.DEFAULT_GOAL := help
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: help
help:  ## Print this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Use

.PHONY: demo
demo: $(INSTALLED)  ## Run a real sweep on this machine, on scikit-learn's digits, and label held-out ones by its winner
	$(BIN)/tinderbox sweep jobs/sweep-digits.yaml --fresh
	$(BIN)/tinderbox infer jobs/infer-digits.yaml --force

##@ Develop

.PHONY: test
test: $(INSTALLED)  ## Run all tests that need no cluster, no Helm and no image
	@$(BIN)/pytest

.PHONY: check
check: $(INSTALLED)  ## Check style, types, layers, and that the dashboards are as their code says
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q tests/test_layers.py
	@$(BIN)/python -m monitoring.generate --check

.PHONY: format
format: $(INSTALLED)  ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(INSTALLED)  ## Measure hand-over, reports, trials and asks per second, as ratios
	@$(BIN)/python -m tests.bench

.PHONY: reproduce-blog
reproduce-blog: $(INSTALLED)  ## Run Databricks' study of 2016 on MNIST; OPTIONS="--epochs 10 --slots 1 2", hours on two cores
	@$(BIN)/python -m tests.bench.blog $(OPTIONS)

.PHONY: reproduce-bigdl
reproduce-bigdl: $(INSTALLED)  ## Train BigDL's LeNet-5 on MNIST, on one worker and on two, beside the student's figures; a quarter of an hour
	@$(BIN)/python -m tests.bench.bigdl $(OPTIONS)

.PHONY: dashboards
dashboards: $(INSTALLED)  ## Write monitoring/dashboards/*.json from their code
	@$(BIN)/python -m monitoring.generate

.PHONY: preview
preview: $(INSTALLED)  ## Draw the dashboards into build/preview without Grafana, by the answers of PROMETHEUS=URL
	@test -n "$(PROMETHEUS)" || { echo "make preview needs the URL of a Prometheus: make preview PROMETHEUS=http://localhost:9090" >&2; exit 2; }
	@$(BIN)/python -m monitoring.preview $(PROMETHEUS) build/preview $(OPTIONS)

.PHONY: images
images: $(INSTALLED)  ## Build the image of drivers and executors, and print its size by part
	@$(BIN)/python -m images build

.PHONY: e2e
e2e: $(INSTALLED)  ## Test chart, rules, image and the whole product on a real Kubernetes; makes what is missing, cold in an hour
	@$(BIN)/python -m tests.cluster build helm cyclonus prometheus operator >/dev/null
	@$(BIN)/python -m images build
	@$(BIN)/pytest -m "chart or image or cluster or rules"

.PHONY: e2e-faults
e2e-faults: $(INSTALLED)  ## Take pods and nodes from a running sweep; a quarter of an hour, after `make e2e` has made what it needs
	@$(BIN)/pytest -m faults

.PHONY: cluster-up
cluster-up: $(INSTALLED)  ## Start a three-node Kubernetes on this machine, or use the one that KUBECONFIG names
	@kubeconfig=$$($(BIN)/python -m tests.cluster up) && echo "export KUBECONFIG=$$kubeconfig"

.PHONY: cluster-down
cluster-down: $(INSTALLED)  ## Remove that cluster and everything it started
	@$(BIN)/python -m tests.cluster down

.PHONY: lock
lock: $(INSTALLED)  ## Pin the newest allowed version of every dependency in constraints.txt
	@$(BIN)/pip install -q uv
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --no-header pyproject.toml -o constraints.txt

.PHONY: clean
clean:  ## Remove what was installed and built; studies stay
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache jobs/*.egg-info

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tinderbox needs Python 3.11 or newer, got $$($(PYTHON) -V); name one, as in make PYTHON=python3.12"; exit 2; }
	@echo "installing into $(VENV), once; a few minutes"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[laptop,dev]'
	@touch $@
