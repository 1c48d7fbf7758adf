#!/bin/sh
# Makes a fresh Debian 12 ready: system packages (only those missing), then .venv from the lock. Quick when all is there.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*"; }
fail() { printf 'Error: %s\n' "$*" >&2; exit 1; }

# Without a terminal, or in CI, nothing is asked.
if [ "${CI:-}" = true ] || [ ! -t 0 ]; then
    ask=no
    exec </dev/null
else
    ask=yes
fi

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        if [ "$ask" = no ]; then sudo -n "$@"; else sudo "$@"; fi
    else
        fail "installing $packages needs root: run \`apt-get install $packages\` as root, then this again."
    fi
}

packages=""
reasons=""
need() { # package, why
    packages="${packages:+$packages }$1"
    reasons="$reasons
  $1 - $2"
}

python=$(command -v python3.11 || true)
if [ -z "$python" ]; then
    need python3.11 "the language this is written in"
    need python3.11-venv "keeps its packages apart from the system's, in .venv"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    need python3.11-venv "keeps the Python packages apart from the system's, in .venv"
fi
# A database given from outside needs none here; tests always run on a private one.
if [ -z "${DATABASE_URL:-}" ] || [ "${1:-}" = tests ]; then
    if ! ls /usr/share/postgresql/*/extension/postgis.control >/dev/null 2>&1; then
        need postgresql-15-postgis-3 "PostgreSQL with PostGIS; a private cluster of it runs in .local"
    fi
fi

if [ -n "$packages" ]; then
    command -v apt-get >/dev/null ||
        fail "this is not Debian: install what \`$packages\` are on Debian 12 by your system's means, then run this again."
    say "These Debian packages are missing and will be installed with apt-get:$reasons"
    if [ "$ask" = yes ]; then
        printf 'Install them? [Y/n] '
        read -r answer
        case "$answer" in [nN]*) fail "without them this cannot run: install $packages yourself, then run this again." ;; esac
    fi
    # Debian starts a system-wide cluster on port 5432 with the package; this machine's port is none of our business.
    quiet=/etc/postgresql-common/createcluster.d/zjw-no-main-cluster.conf
    as_root mkdir -p "${quiet%/*}"
    printf 'create_main_cluster = false\n' | as_root tee "$quiet" >/dev/null
    installed=yes
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q ||
        fail "apt-get update failed: check the network and /etc/apt/sources.list, then run this again."
    # shellcheck disable=SC2086 # a list of names
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages || installed=no
    as_root rm -f "$quiet"
    [ "$installed" = yes ] || fail "apt-get could not install $packages: see its messages above."
    python=$(command -v python3.11) || fail "python3.11 is still missing: this needs Debian 12 or Python 3.11."
fi

stamp="$(cat requirements.lock pyproject.toml | sha256sum | cut -d' ' -f1) $PWD"
if [ ! -x .venv/bin/zjw ] || [ "$(cat .venv/stamp 2>/dev/null)" != "$stamp" ]; then
    say "Installing the Python packages of requirements.lock into .venv (about a minute the first time) …"
    # A virtual environment does not survive a move; one of another place is made anew.
    if [ -d .venv ] && ! .venv/bin/python -c 'pass' 2>/dev/null; then rm -rf .venv; fi
    [ -d .venv ] || "$python" -m venv .venv || fail "no virtual environment could be made in $PWD/.venv: see above."
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
    calm=""
    [ -t 1 ] || calm="-q"
    .venv/bin/python -m pip install $calm --require-hashes -r requirements.lock ||
        fail "the Python packages could not be installed: check the network (pip's messages are above), then run this again."
    .venv/bin/python -m pip install -q --no-deps --no-build-isolation -e . ||
        fail "the project could not be installed into .venv: see pip's messages above."
    printf '%s\n' "$stamp" >.venv/stamp
fi
