#!/usr/bin/env bash
# Runs cargo in native/. Where there is no Rust it says so and goes on, but not in CI.
set -euo pipefail
cd "$(dirname "$0")/../native"
if ! command -v cargo >/dev/null 2>&1; then
    printf 'NOT RUN: cargo %s; it needs Rust, see https://rustup.rs\n' "$1" >&2
    [ -z "${CI:-}" ]
    exit
fi
exec cargo "$@"
