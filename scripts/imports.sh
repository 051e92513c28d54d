#!/usr/bin/env bash
# Installs the libraries whose models `inferproof import` takes, at pinned versions and with the
# extra `import`, into an environment of its own, and runs there what they are needed for.
#   scripts/imports.sh              scikit-learn, XGBoost, LightGBM, CatBoost
#   TORCH=1 scripts/imports.sh      PyTorch too, which takes gigabytes
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/bootstrap.sh tools

UV=$(command -v uv || echo .tools/bin/uv)
ENVIRONMENT=.tools/imports
# The builds of xgboost-cpu carry nothing for graphics cards.
LIBRARIES=(scikit-learn==1.9.1 xgboost-cpu==3.2.0 lightgbm==4.7.0 catboost==1.2.10)
if [ -n "${TORCH:-}" ]; then
    LIBRARIES+=(torch==2.15.0)
fi
TESTS=(tests/unit/models/test_importing.py tests/docs/test_quickstart.py)

"$UV" venv --quiet --clear --python .venv/bin/python "$ENVIRONMENT"
"$UV" pip install --quiet --python "$ENVIRONMENT/bin/python" \
    --group test --editable '.[import,server]' "${LIBRARIES[@]}"
"$ENVIRONMENT/bin/python" -m pytest -q -p no:cacheprovider "${TESTS[@]}"
