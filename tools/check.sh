#!/bin/sh
# Everything that must be green before a change goes in; stops at the first part that is not.
set -eu
cd "$(dirname "$0")/.."

part() {
    printf '\n== %s\n' "$1"
    shift
    "$@"
}

part "format" .venv/bin/ruff format --check .
part "lint" .venv/bin/ruff check .
part "types" .venv/bin/pyright
part "imports" .venv/bin/lint-imports --no-cache
part "generated docs" .venv/bin/zjw docs --check
part "tests" make test
