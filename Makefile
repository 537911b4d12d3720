# Two commands on a fresh machine: `make run` and `make test`. Both do all of the set-up.
# Needs Python 3.11 or newer, make and pip; PYTHON=… names another interpreter.

.PHONY: run test check bench pins runtime development
.DEFAULT_GOAL := run

PY := .venv/bin/python

run: runtime ## the portal with a demo workspace; PORT=8001 make run chooses the port
	@exec $(PY) manage.py start --demo $(ARGS)

test: development ## all tests; ARGS='-m "not slow"' leaves out those that start whole portals
	@exec $(PY) -m pytest -n auto --dist worksteal $(ARGS)

check: development ## what must hold before a commit
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(THROWAWAY_KEYS) $(PY) -m mypy .
	$(THROWAWAY_KEYS) $(PY) manage.py makemigrations --check --dry-run

bench: development ## seconds, memory and requests of a sync
	@exec $(PY) -m tests.bench $(ARGS)

pins: ## both requirements*.txt from their .in files; needs uv
	@command -v uv >/dev/null || { echo "make pins needs uv in the path: pip install uv" >&2; exit 1; }
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt

COMPILE = uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate \
	--universal --python-version 3.11

# Settings refuse to load without keys; a check needs some, and none of anybody's.
THROWAWAY_KEYS = PORTAL_DATA=build/check SECRET_KEY=$(NO_SECRET) FERNET_KEYS=$(NO_SECRET) FINGERPRINT_KEY=$(NO_SECRET)
NO_SECRET = only-for-make-check-and-for-nothing-else

# --- set-up: a virtual environment, and in it what the file pins; nothing is done twice --------------

runtime: REQUIREMENTS = requirements.txt
development: REQUIREMENTS = requirements-dev.txt
runtime development:
	@test -f .venv/pip-of || $(PY) -c "import pip" 2>/dev/null || { $(MAKE_VENV); }
	@stamp=.venv/$(REQUIREMENTS).stamp; sum=$$(cksum < $(REQUIREMENTS)); \
	if [ "$$sum" != "$$(cat $$stamp 2>/dev/null)" ]; then \
		echo "Installing what $(REQUIREMENTS) pins …"; \
		{ $(PIP) install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $(REQUIREMENTS); } \
		&& echo "$$sum" > $$stamp; \
	fi

# A version manager may put stubs into the path that do not run: only what runs and is new enough counts.
define MAKE_VENV
	for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "No Python 3.11 or newer was found: install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	echo "Making .venv with $$("$$python" --version) …"; \
	if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		"$$python" -m venv --clear .venv; \
	elif "$$python" -m pip --version >/dev/null 2>&1 && "$$python" -m venv --clear --without-pip .venv; then \
		"$$python" -c 'import sys; print(sys.executable)' > .venv/pip-of; \
	else \
		echo "$$python can make no virtual environment: on Debian and Ubuntu install python3-venv, then call make again." >&2; \
		exit 1; \
	fi
endef

# Debian's Python may lack ensurepip; then the pip that installed Python's own packages fills the environment.
PIP = if [ -f .venv/pip-of ]; then set -- "$$(cat .venv/pip-of)" -m pip --python $(PY); else set -- $(PY) -m pip; fi; "$$@"
