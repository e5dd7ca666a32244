# Every target makes what it needs. Python 3.11 or later and make are enough.
# CI runs `make check` and `make test`, the same targets.

.PHONY: help run demo test test-all mutants check audit fix bench screenshots setup pins keys clean

help:
	@echo "make run    start the console: web, worker and beat (http://127.0.0.1:8000; CONSOLE_PORT=… for another port)"
	@echo "make demo   print a fresh demo connector, with its secrets, as JSON (while the console runs)"
	@echo "make test   run all that is not marked long on SQLite, then on PostgreSQL and Redis what could differ there"
	@echo "make test-all  run everything on both: every page at every width, by keyboard alone, programs in six languages"
	@echo "make mutants  break the 40 most important rules, one after the other: their tests must notice"
	@echo "make check  lint, format, types, layers, templates, known vulnerabilities"
	@echo "make audit  ask for known vulnerabilities of all packages; fails also when it gets no answer"
	@echo "make fix    fix what can be fixed by machine"
	@echo "make bench  run the benchmarks"
	@echo "make screenshots  take a picture of every page, wide and narrow, light and dark, into test-results/screenshots"
	@echo "make pins   lock the packages of requirements*.in, with hashes, in requirements*.txt"
	@echo "make keys   print fresh keys for a production configuration"
	@echo "make setup  make .venv with everything a developer needs"
	@echo "make clean  remove .venv and caches; ./var, which holds data, stays"

# `exec`: Ctrl-C and SIGTERM must reach the console itself, not a shell in between.
run:
	@scripts/setup run
	@exec .venv/bin/python manage.py up

demo:
	@scripts/setup run
	@exec .venv/bin/python manage.py demo --json

test:
	@scripts/setup dev
	@exec .venv/bin/python scripts/test.py $(ARGS)

test-all:
	@scripts/setup dev
	@exec .venv/bin/python scripts/test.py --all $(ARGS)

mutants:
	@scripts/setup dev
	@exec .venv/bin/python scripts/mutants.py $(ARGS)

check:
	@scripts/setup dev
	@exec scripts/check

audit:
	@scripts/setup dev
	@exec .venv/bin/python scripts/audit.py

fix:
	@scripts/setup dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench:
	@scripts/setup dev
	@exec .venv/bin/python -m bench

screenshots:
	@scripts/setup dev
	@exec .venv/bin/python scripts/screenshots.py $(ARGS)

pins:
	@scripts/setup dev
	@exec scripts/pins $(ARGS)

keys:
	@scripts/setup run
	@exec .venv/bin/python manage.py generate_keys

setup:
	@scripts/setup dev

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov test-results
