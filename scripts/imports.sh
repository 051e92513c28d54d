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
# At the versions of the corpus. The builds of xgboost-cpu carry nothing for graphics cards.
NAMES='catboost|lightgbm|onnxmltools|onnxscript|pandas|scikit-learn|skl2onnx|xgboost'
if [ -n "${TORCH:-}" ]; then
    NAMES="$NAMES|torch"
fi
mapfile -t LIBRARIES < <(grep -hE "^($NAMES)==" tests/corpus/requirements*.txt |
    sed 's/^xgboost==/xgboost-cpu==/')
TESTS=(tests/unit/models/test_importing.py tests/docs/test_quickstart.py)

"$UV" venv --quiet --clear --python .venv/bin/python "$ENVIRONMENT"
"$UV" pip install --quiet --python "$ENVIRONMENT/bin/python" \
    --group test --editable '.[import,server]' "${LIBRARIES[@]}"
"$ENVIRONMENT/bin/python" -m pytest -n 2 --dist worksteal -q -p no:cacheprovider "${TESTS[@]}"
