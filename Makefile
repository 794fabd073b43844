# One way in for people and for CI: `make` lists what there is. Everything that is fetched or made lies in .tools/,
# .demo/ and cdktf.out/; `make clean` removes it.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# The first Python that is new enough; another one: make PYTHON=/path/to/python3.12 test
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := $(CURDIR)/.tools/venv/bin
RUN := PATH="$(CURDIR)/.tools/bin:$(VENV):$$PATH"
WORKERS ?= 2

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | \
		while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

.PHONY: demo
demo: tools ## Deploy to an emulated AWS, change users, see the events, destroy (1 to 2 minutes)
	@$(RUN) python -m demo

.PHONY: check
check: lint ## Check style, types and the unit tests, before each commit (under two minutes)
	@$(RUN) python -m pytest -q -n $(WORKERS) --dist loadfile tests/unit tests/docs

.PHONY: test
test: .test-tools ## Run all tests, real deployments to the emulated AWS among them
	@# A file's tests stay together: they share what takes long, such as a deployment. The folders come in their order, not
	@# those files first that have most tests: what takes minutes has few of them, and one worker would end up with it.
	@$(RUN) python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

.PHONY: thorough
thorough: .thorough-tools ## Run the combinations that `make test` leaves out, for they take long and resemble what it runs
	@$(RUN) python -m pytest -n $(WORKERS) --dist loadfile -m thorough $(TESTS)

.PHONY: fuzz
fuzz: tools ## Try 100,000 odd inputs on every parser of outside input (4 minutes on 2 cores): make fuzz INPUTS=2000
	@$(RUN) python -m tests.fuzz --inputs $(or $(INPUTS),100000) $(FUZZ)

.PHONY: chaos
chaos: tools ## Kill the adapter 200 times at random moments, compare consumer and pool: make chaos KILLS=20
	@$(RUN) python -m tests.chaos --kills $(or $(KILLS),200) $(CHAOS)

.PHONY: bench
bench: tools ## Measure against named baselines (five minutes on two quiet cores): make bench BENCH=--quick
	@$(RUN) python -m benchmarks $(BENCH)

.PHONY: plan
plan: tools ## Plan the stacks of source.yaml with your AWS credentials, and review the plan
	@$(RUN) python -m stacks plan

.PHONY: plan-docs
plan-docs: tools ## Write the review of our own plan into docs/, with pictures where Chromium is installed
	@$(RUN) python -m tools.docs.own_review

.PHONY: status-docs
status-docs: tools ## Take the pictures of the status page into docs/ (needs Chromium)
	@$(RUN) python -m tools.docs.status_picture

.PHONY: docs
docs: .docs-tools ## Build the docs site into build/site, checked: links, navigation, nothing loaded from elsewhere
	@$(RUN) python -m tools.docs.site

.PHONY: docs-write
docs-write: tools ## Write anew what the documents show of the code: tables, command lines, outputs
	@$(RUN) python -m tools.docs.tables
	@$(RUN) python -m tools.docs.reference
	@$(RUN) python -m tools.docs.review_schema
	@$(RUN) python -m tools.docs.walkthrough
	@$(RUN) python -m demo.credentials_guide

.PHONY: docs-serve
docs-serve: .docs-tools ## Build the docs site and serve it on this machine: make ADDRESS=127.0.0.1:8000 docs-serve
	@$(RUN) python -m tools.docs.site --serve $(or $(ADDRESS),127.0.0.1:8000)

.PHONY: lint
lint: tools ## Check style and types
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy

.PHONY: format
format: tools ## Rewrite the code in the style that `make lint` wants
	@$(RUN) ruff check --fix-only --quiet .
	@$(RUN) ruff format .

.PHONY: lock
lock: tools ## Write the lock files after a change of pyproject.toml or tools/setup/npm/package.json
	@$(RUN) python -m tools.setup.lock $(LOCK)

# The first of these that the machine has; another one: make ENGINE=/path/to/docker image
ENGINE ?= $(firstword $(shell command -v docker podman buildah 2>/dev/null))
IMAGE ?= cognito-source
VERSION = $(shell sed -n 's/^VERSION: Final = "\(.*\)"/\1/p' adapter/version.py)
.PHONY: image
image: ## Build the adapter's image with docker, podman or buildah: make IMAGE=NAME:TAG image
	@test -n "$(ENGINE)" || { echo "make: needs docker, podman or buildah, and finds none on PATH" >&2; exit 1; }
	@$(ENGINE) build --tag $(IMAGE) --build-arg VERSION=$(VERSION) \
		--build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) .

.PHONY: image-test
image-test: tools ## Build the image without a daemon and run it as the task definition says (Linux, as root)
	@$(RUN) python -m tools.release.image_test

.PHONY: dist
dist: ## Make the source archive of this commit in dist/
	@rm -rf dist && mkdir dist
	@git archive --prefix=cognito-source-$(VERSION)/ --output dist/cognito-source-$(VERSION).tar.gz HEAD

.PHONY: release-check
release-check: tools ## Check that version, CHANGELOG and tag agree: make TAG=v0.1.0 release-check
	@$(RUN) python -m tools.release check $(if $(TAG),--tag "$(TAG)")

.PHONY: tools
tools: .python ## Fetch what the other targets need into .tools/ (they do it themselves)
	@$(PYTHON) tools/setup/bootstrap.py

.PHONY: clean
clean: ## Remove everything that was fetched or made
	@rm -rf .tools .demo cdktf.out .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: .python .test-tools .thorough-tools .docs-tools
.python:
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.11 or newer, and finds none on PATH; \
	install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
.test-tools: .python
	@$(PYTHON) tools/setup/bootstrap.py checkov docs
.thorough-tools: .python
	@$(PYTHON) tools/setup/bootstrap.py cdktn
.docs-tools: .python
	@$(PYTHON) tools/setup/bootstrap.py --only docs
