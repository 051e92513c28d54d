"""Pre-processing that a stranger's bundle declares, in a process of its own with limits.

The limits and what happens beyond them are those of `inferproof.proving.isolated`.
"""

import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np

from inferproof.inference.preprocess import Preprocessing, preprocess
from inferproof.inference.request import raw_input
from inferproof.protocol.encoding import Json, canonical_json, parse_canonical_json
from inferproof.proving.base import Progress
from inferproof.proving.bounds import Limits, bound_time
from inferproof.proving.inputs import write_arrays
from inferproof.proving.isolated import IsolatedWorker
from inferproof.types.tensor import Tensors

LIMITS = Limits(20, 2 * 2**30)
_TASK = "inferproof.app.isolated:preprocess_task"


class IsolatedPreprocess:
    """A verifier's `Preprocess` that lets a worker process do it. Thread-safe."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._worker = IsolatedWorker(limits)

    def __call__(self, canonical: dict[str, Json], body: bytes) -> Tensors:
        """As `request_tensors`. Raises also: as `IsolatedWorker.run`."""
        with tempfile.TemporaryDirectory(prefix="inferproof-request-") as name:
            folder = Path(name)
            (folder / "preprocessing").write_bytes(canonical_json(canonical))
            (folder / "body").write_bytes(body)
            names = self._worker.run(_TASK, {"folder": name})["names"]
            with np.load(folder / "tensors.npz", allow_pickle=False) as stored:
                return {name: stored[f"a{number}"] for number, name in enumerate(names)}

    def close(self) -> None:
        """Ends the worker process."""
        self._worker.close()


def preprocess_task(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Runs in the worker process. Raises: as `request_tensors`."""
    bound_time(args)
    folder = Path(args["folder"])
    data = (folder / "preprocessing").read_bytes()
    canonical = cast("dict[str, Json]", parse_canonical_json(data, max_bytes=len(data)))
    # Nothing of it is kept, as `request_tensors` does: strangers' must not add up.
    spec = Preprocessing.from_canonical(canonical)
    tensors = preprocess(spec, raw_input((folder / "body").read_bytes()))
    write_arrays(folder / "tensors.npz", tensors)
    return {"names": list(tensors)}
