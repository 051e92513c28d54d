"""Writes the corpus: one ONNX file and one .npz of rows for each model. Runs where the tools are.

python tests/corpus/make.py FOLDER [FAMILY ...]
"""

import importlib
import json
import os
import random
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from entry import Entry

SEED = 7


def main(folder: Path, families: list[str]) -> int:
    warnings.filterwarnings("ignore")
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    folder.mkdir(parents=True, exist_ok=True)
    made, failed = 0, {}
    for entry in _entries(families):
        stem = folder / f"{entry.family}.{entry.name}"
        if stem.with_name(stem.name + ".npz").exists():
            made += 1
            continue
        began = time.monotonic()
        random.seed(SEED)
        np.random.seed(SEED)  # what the tools draw from
        try:
            model = entry.make()
        except Exception as error:  # noqa: BLE001  (a tool that cannot export is not tried here)
            failed[f"{entry.family}.{entry.name}"] = f"{type(error).__name__}: {error}"[:200]
            continue
        stem.with_name(stem.name + ".onnx").write_bytes(model.onnx)
        np.savez(stem.with_name(stem.name + ".npz"), **model.rows)
        made += 1
        print(
            f"{stem.name}: {len(model.onnx):,} bytes, {time.monotonic() - began:.1f} s", flush=True
        )
    (folder / "not-exported.json").write_text(json.dumps(failed, indent=1, sort_keys=True))
    print(f"{made} models made, {len(failed)} not exported by their own tools:")
    for name, why in sorted(failed.items()):
        print(f"  {name}: {why[:120]}")
    return 0


def _entries(families: list[str]) -> Iterator[Entry]:
    """Those whose family begins as one of `families` does. Some tools take seconds to import."""
    for module in ("of_sklearn", "of_boosting", "of_keras", "of_torch", "of_quantisers"):
        start = module.removeprefix("of_")
        if families and not any(family.startswith(start) for family in families):
            continue
        for entry in importlib.import_module(module).ENTRIES:
            if not families or entry.family.startswith(tuple(families)):
                yield entry


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
