#!/usr/bin/env bash
# Installs everything that `make demo` and `make test` need, once: a Python environment in
# .venv from the lock file, the native prover where there is Rust, and the pinned npm tools
# (anvil, forge). Run again, it does nothing.
#   scripts/bootstrap.sh python      only the Python environment
#   scripts/bootstrap.sh native      the Python environment and the native prover
#   scripts/bootstrap.sh tools       these and the npm tools
#   scripts/bootstrap.sh js          the JavaScript clients of the end-to-end tests as well
#   scripts/bootstrap.sh corpus      the tools whose exports tests/corpus is made of; "sklearn
#                                    boosting" after it: of these families alone
set -euo pipefail
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9
export UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=.venv

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

find_python() {
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python 3.11, 3.12 or 3.13 is needed and was not found.
  Debian/Ubuntu: apt-get install python3 python3-venv    macOS: brew install python@3.12
  or name one: PYTHON=/path/to/python3.12 make demo"
}

bootstrap_python() {
    local stamp=.venv/.synced
    if [ -f "$stamp" ] && [ "$stamp" -nt uv.lock ] && [ "$stamp" -nt pyproject.toml ]; then
        return
    fi
    local python uv
    python=$(find_python)
    uv=$(command -v uv || true)
    if [ -z "$uv" ] || [ "$("$uv" --version | cut -d' ' -f2)" != "$UV_VERSION" ]; then
        uv=.tools/bin/uv
        if [ ! -x "$uv" ] || [ "$("$uv" --version | cut -d' ' -f2)" != "$UV_VERSION" ]; then
            say "installing uv $UV_VERSION into .tools"
            "$python" -m venv .tools || fail "the venv module is missing; Debian/Ubuntu: apt-get install python3-venv"
            .tools/bin/pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" ||
                fail "pip could not install uv; is a Python package index reachable?"
        fi
    fi
    say "installing the Python packages of uv.lock into .venv"
    "$uv" sync --frozen --all-extras --all-groups --python "$python" ||
        fail "uv sync failed; the lines above say which package"
    touch "$stamp"
}

npm_packages() { # folder, what for
    local stamp="$1/node_modules/.package-lock.json"
    if [ -f "$stamp" ] && [ "$stamp" -nt "$1/package-lock.json" ] && [ "$stamp" -nt "$1/package.json" ]; then
        return
    fi
    command -v npm >/dev/null || fail "$2 needs npm (Node.js 20 or newer), which was not found.
  Debian/Ubuntu: apt-get install nodejs npm    macOS: brew install node"
    say "installing the npm packages of $1"
    # No install scripts: the programs come ready inside their packages. Not npm ci: it refuses
    # a lock file without the programs of platforms that a mirror does not carry. Versions and
    # digests are the lock file's all the same, and --no-save leaves it as it is.
    npm install --no-save --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error ||
        fail "npm install failed in $1; the lines above say which package"
    touch "$stamp"
}

native_prover() { # built by make native, or here if need be; all else works without it
    if .venv/bin/python scripts/native.py; then
        return
    fi
    say "going on without proof system sumcheck, whose commands will say that it is missing"
}

corpus_tools() { # for families; in an environment of their own: nothing of ours needs them
    local folder=tests/corpus lists=("") list stamp uv
    case "${1:-torch}" in *torch* | *quantisers*) lists+=(-torch) ;; esac
    case "${1:-keras}" in *keras*) lists+=(-keras) ;; esac
    lists=("${lists[@]/#/$folder/requirements}")
    lists=("${lists[@]/%/.txt}")
    stamp=.tools/corpus/.installed-$(cat "${lists[@]}" | sha256sum | cut -c1-16)
    [ -f "$stamp" ] && return
    uv=$(command -v uv || echo .tools/bin/uv)
    say "installing the tools of ${lists[*]} into .tools/corpus, which takes minutes"
    [ -d .tools/corpus ] || "$uv" venv --quiet --python .venv/bin/python .tools/corpus
    "$uv" pip install --quiet --python .tools/corpus/bin/python "${lists[@]/#/--requirement=}" ||
        fail "uv could not install them; the lines above say which package"
    touch "$stamp"
}

case "${1:-tools}" in
    python) bootstrap_python ;;
    native)
        bootstrap_python
        .venv/bin/python scripts/native.py
        ;;
    tools)
        bootstrap_python
        native_prover
        npm_packages contracts "the local chain (anvil)"
        ;;
    js)
        bootstrap_python
        native_prover
        npm_packages contracts "the local chain (anvil)"
        npm_packages tests/e2e/js "the public x402 clients"
        ;;
    corpus)
        bootstrap_python
        corpus_tools "${2:-}"
        ;;
    *) fail "usage: scripts/bootstrap.sh [python|native|tools|js|corpus]" ;;
esac
