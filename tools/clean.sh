#!/bin/sh
# Stops what runs from this checkout and removes what it made: .local (database, media, keys), .venv and caches.
set -eu
cd "$(dirname "$0")/.."

if [ -d .local ]; then
    [ -x .venv/bin/zjw ] || {
        printf 'Error: .venv is gone, so the servers in .local cannot be stopped: run `make setup`, then `make clean`.\n' >&2
        exit 1
    }
    .venv/bin/zjw stop --remove
fi
rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache build ./*.egg-info
find . -name __pycache__ -type d -prune -exec rm -rf {} +
