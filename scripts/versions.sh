#!/usr/bin/env bash
# Installs the package with the lowest and with the newest versions of its dependencies that
# pyproject.toml allows, each into an environment of its own, and runs end-to-end tests in it.
#   scripts/versions.sh            both
#   scripts/versions.sh lowest     one of them
# Python's own packages are held to what uv.lock has in every other run, so nothing else tells
# whether `pip install inferproof` works with what a stranger gets.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/bootstrap.sh tools

UV=$(command -v uv || echo .tools/bin/uv)
TESTS=(tests/e2e/test_gateway_e2e.py tests/e2e/test_raw_http.py tests/e2e/test_transfers_e2e.py
    tests/unit/server tests/unit/api)

install() { # environment, how versions are chosen
    local environment=$1
    shift
    "$UV" venv --quiet --clear --python .venv/bin/python "$environment"
    "$UV" pip install --quiet --python "$environment/bin/python" "$@" \
        --group test --editable '.[server,postgres,redis,otel,sentry]'
}

check() { # lowest or newest
    local environment=.tools/versions/$1 began=$SECONDS
    case "$1" in
        lowest) install "$environment" --resolution lowest-direct ;;
        newest) install "$environment" --upgrade ;;
        *) echo "what is $1? lowest and newest are there" >&2; exit 2 ;;
    esac
    echo "==> $1: $("$UV" pip freeze --quiet --python "$environment/bin/python" | grep -E "^(fastapi|starlette|uvicorn|h11|sqlalchemy|pydantic)==" | tr "\n" " ")"
    "$environment/bin/python" -m pytest -n 2 --dist worksteal -q -m "not slow" -p no:cacheprovider "${TESTS[@]}"
    echo "==> $1 took $((SECONDS - began)) s"
}

for each in ${1:-lowest newest}; do
    check "$each"
done
