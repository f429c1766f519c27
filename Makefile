# `make run` and `make test` work in a fresh clone on a machine with Python >= 3.11, venv and make, and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/activation_init.yaml
RESULTS ?= results
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run plot gallery claims test check torture torture-cluster test-kernels test-oldest test-export test-cluster slurm parity \
  lint types digests reference bench bench-techniques bench-convolution bench-answers bench-scale simulations format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## train the sweep of CONFIG (configs/activation_init.yaml) and draw its figures
	$(BIN)/dlsweep run $(CONFIG) --output $(RESULTS)

plot: $(VENV)/.installed ## draw the figures of every sweep in RESULTS (results/) again
	$(BIN)/dlsweep plot $(RESULTS)

gallery: $(VENV)/.installed ## train every config of configs/ and make the README's figures and verdicts again (docs/)
	for config in configs/*.yaml configs/course/*.yaml; do $(BIN)/dlsweep run $$config --output build/gallery || exit 1; done
	mkdir -p docs/figures
	rm -f docs/figures/*.png
	for figure in build/gallery/*/figures/*.png; do \
	  sweep=$$(basename $$(dirname $$(dirname "$$figure"))); \
	  cp "$$figure" "docs/figures/$$sweep-$$(basename "$$figure" | tr -s ' ,=' '-')"; \
	done
	$(BIN)/python -m bench.verdicts build/gallery

claims: $(VENV)/.installed ## train every config that has claims, and check them all (build/gallery)
	for config in $$(grep -l '^claims:' configs/*.yaml configs/course/*.yaml); do \
	  $(BIN)/dlsweep run $$config --output build/gallery --quiet || exit 1; \
	done
	$(BIN)/dlsweep check build/gallery

# Tests start hundreds of interpreters: without bytecode on disk, each would compile the package again.
test check test-cluster: export PYTHONDONTWRITEBYTECODE =

test: $(VENV)/.installed-test ## run the whole test suite
	$(BIN)/python -m pytest

check: $(VENV)/.installed-test ## run the fast tests, in about a minute
	$(BIN)/python -m pytest -q -m "not slow" --hypothesis-profile=quick

torture: $(VENV)/.installed-test ## run the long tests of faults: kills, gzip bombs, few processes, mutated configs (10 minutes)
	$(BIN)/python -m pytest -n 0 -m torture

torture-cluster: .venv-cluster/.installed ## let every durable operation fail on the workers of Dask and on an S3 server (half an hour)
	.venv-cluster/bin/python -m pytest -n 0 -m "cluster and torture"

test-kernels: $(VENV)/.installed-test ## run the tests of the arithmetic on every BLAS kernel that this processor can run
	$(BIN)/python tests/support/kernels.py -q -m numerics

test-oldest: .venv-oldest/.installed ## run the whole test suite with the oldest versions of the dependencies
	.venv-oldest/bin/python -m pytest

test-export: .venv-export/.installed ## run the tests of exports with TensorBoard, MLflow and DuckDB, and the notebook in Jupyter
	.venv-export/bin/python -m pytest -n 0 tests/exports

test-cluster: .venv-cluster/.installed $(if $(SYSTEM),slurm) ## run the tests with Dask, an S3 server (SeaweedFS) and, with SYSTEM=1, SLURM
	.venv-cluster/bin/python -m pytest -n 2 --dist loadfile -m cluster --durations 10

# System packages come only where they are asked for: by root, on Debian. A run level of 1 keeps their services from starting.
slurm:
	command -v slurmctld >/dev/null || { apt-get update --quiet && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
	  apt-get install --quiet --yes --no-install-recommends slurm-wlm munge; }

parity: .venv-parity/.installed ## compare layers, losses, optimizers and training with PyTorch in float64
	.venv-parity/bin/python -m pytest -n 0 parity

digests: $(VENV)/.installed ## compare every number of small sweeps with bench/digests.json (DIGESTS=--record: take today's)
	$(BIN)/python -m bench.digests $(DIGESTS)

reference: $(VENV)/.installed ## train the sweep of tests/reference again, after a change that is meant to change bits
	rm -rf tests/reference/results
	$(BIN)/dlsweep run tests/reference/reference.yaml --output tests/reference/results

lint: $(VENV)/.installed-lint ## check style and formatting (ruff)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.installed-lint $(VENV)/.installed-test ## check the types (mypy --strict)
	$(BIN)/mypy

bench: $(VENV)/.installed .venv-bench/.installed ## measure side by side with other tools (BENCH=--quick: a smoke run)
	$(BIN)/python -m bench --python .venv-bench/bin/python $(BENCH)

bench-techniques: $(VENV)/.installed .venv-bench/.installed ## the same for batch norm, dropout, Adam, overfitting, probes
	$(BIN)/python -m bench.techniques --python .venv-bench/bin/python $(BENCH)

bench-convolution: $(VENV)/.installed .venv-bench/.installed ## the same for convolutional networks
	$(BIN)/python -m bench.convolution --python .venv-bench/bin/python $(BENCH)

bench-answers: $(VENV)/.installed ## measure show, check, effects and plot on generated results of up to 100 000 runs
	$(BIN)/python -m bench.answers $(BENCH)

bench-scale: .venv-cluster/.installed ## measure a million planned runs, 10 000 small runs, many chunks, two cores, Dask
	.venv-cluster/bin/python -m bench.scale $(BENCH)

simulations: $(VENV)/.installed ## simulate the coverage of intervals, the error rates of tests, and tests until decided
	for name in coverage error_rates until_decided; do $(BIN)/python -m bench.$$name || exit 1; done

format: $(VENV)/.installed-lint ## let ruff put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove environments, caches and builds; results/ stays
	rm -rf .venv .venv-bench .venv-parity .venv-oldest .venv-export .venv-cluster build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests bench parity -type d -name __pycache__ -prune -exec rm -rf {} +

# The peers of the bench: one that cannot be installed here is reported as absent by the bench.
.venv-bench/.installed: bench/requirements.txt
	$(PYTHON) -m venv --clear .venv-bench
	@grep -v '^#' $< | while read -r peer; do \
	  echo "installing $$peer"; \
	  .venv-bench/bin/python -m pip --disable-pip-version-check --quiet install "$$peer" || echo "$$peer: absent" >&2; \
	done
	@touch $@

# PyTorch, the version that the bench measures, in an environment of its own: users and tests do without.
.venv-parity/.installed: pyproject.toml bench/requirements.txt
	$(PYTHON) -m venv --clear .venv-parity
	.venv-parity/bin/python -m pip --disable-pip-version-check --quiet install --editable '.[test]' \
	  "$$(grep '^torch' bench/requirements.txt)"
	@touch $@

# The programs that read exports, in an environment of their own: users and the other tests do without.
.venv-export/.installed: pyproject.toml tests/exports/requirements.txt
	$(PYTHON) -m venv --clear .venv-export
	.venv-export/bin/python -m pip --disable-pip-version-check --quiet install --editable '.[test,export]' -r tests/exports/requirements.txt
	@touch $@

# Clusters, in an environment of their own: users of one machine and the other tests do without.
.venv-cluster/.installed: pyproject.toml tests/cluster/requirements.txt
	$(PYTHON) -m venv --clear .venv-cluster
	.venv-cluster/bin/python -m pip --disable-pip-version-check --quiet install --editable '.[test,dask,remote]' -r tests/cluster/requirements.txt
	@touch $@

.venv-oldest/.installed: pyproject.toml tests/oldest.txt
	$(PYTHON) -m venv --clear .venv-oldest
	.venv-oldest/bin/python -m pip --disable-pip-version-check --quiet install --editable '.[test]' -c tests/oldest.txt
	@touch $@

# A stamp file says what an environment holds, so a second `make` installs nothing.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'dlsweep needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) \
	  || { rm -rf $(VENV); echo 'venv failed; on Debian and Ubuntu it is the package python3-venv' >&2; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml
	$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-%: $(VENV)/.created pyproject.toml
	$(PIP) install --editable '.[$*]'
	@touch $@ $(VENV)/.installed
