# Everything is done by `python -m ops`; this file only says it shortly.
PYTHON ?= python3
RUN := .venv/bin/python
ARGS ?=
SCALE ?=
export FOYER_PORT_BASE ?= 18000

.DEFAULT_GOAL := help
.PHONY: help bootstrap up down scale status logs migrate verify chaos dead test check format bench lock docker-up

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

bootstrap: ## install what this machine lacks: servers, .venv
	@$(PYTHON) -m ops.local.bootstrap

up: bootstrap ## start everything; SCALE="order=3,view=2"
	@$(RUN) -m ops up --scale "$(SCALE)" $(ARGS)

down: bootstrap ## drain and stop everything; data stays
	@$(RUN) -m ops down

scale: bootstrap ## change a running system: make scale order=3 view=2
	@$(RUN) -m ops scale $(filter-out FOYER_% PYTHON=% ARGS=% SCALE=%,$(MAKEOVERRIDES))

status: bootstrap ## servers and processes, with pid and age
	@$(RUN) -m ops status

logs: ## follow every process's log
	@tail -n 2 -F .run/$(FOYER_PORT_BASE)/log/*.log

migrate: bootstrap ## bring stores and broker to what this code expects
	@$(RUN) -m ops migrate

verify: bootstrap ## check the lines that must never break
	@$(RUN) -m ops verify

chaos: bootstrap ## kill processes under load, then verify; sells for good
	@$(RUN) -m ops chaos kill $(ARGS)

dead: bootstrap ## list dead letters
	@$(RUN) -m ops dead list

check: bootstrap ## lint, types, boundaries
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@.venv/bin/lint-imports --no-logo

test: check ## check, then every test in two lanes, on servers of their own
	@$(RUN) -m pytest --numprocesses 2 $(ARGS)

format: bootstrap ## let ruff rewrite what it can
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

bench: bootstrap ## measure, on servers of its own
	@FOYER_PORT_BASE=18200 $(RUN) -m ops bench $(ARGS)

lock: bootstrap ## pin the newest packages that pyproject.toml allows
	@$(RUN) -m pip install --quiet uv
	@.venv/bin/uv pip compile --quiet pyproject.toml --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--upgrade -o requirements.lock
	@.venv/bin/uv pip compile --quiet pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--upgrade -c requirements.lock -o requirements-dev.lock

docker-up: ## the same system in containers, where a Docker engine runs
	docker build -t foyer .
	@[ -e .env ] || (umask 077 && docker run --rm foyer python -m ops docker-env > .env)
	docker compose up
