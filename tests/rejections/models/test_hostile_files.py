"""Every file of `bombs` ends in a typed rejection, within the time and memory that we promise."""

import gc
import resource
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from bombs import BOMBS

from inferproof.app.openings import local_openings
from inferproof.errors import InferproofError, Reason
from inferproof.proving.base import CompileRequest
from inferproof.proving.registry import get_system

WITHIN_S = 40.0
WITHIN_BYTES = 2 * 2**30
SAMPLES = 4
_LARGEST = 2**22


def _samples(path: Path) -> dict[str, np.ndarray]:
    """What a provider would calibrate with, where the file can be read and is of some size."""
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except Exception:  # noqa: BLE001  (whatever the library says of bytes that are none)
        return {"x": np.ones((SAMPLES, 1, 4), np.float32)}
    draw, made = np.random.default_rng(0), {}
    for item in graph.input:
        shape = [size.dim_value or 1 for size in item.type.tensor_type.shape.dim]
        if np.prod(shape, dtype=object) > _LARGEST:
            shape = [1, 4]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(item.type.tensor_type.elem_type)
        made[item.name] = draw.random((SAMPLES, *shape)).astype(dtype)
    return made


def _spent() -> tuple[int, float]:
    """The memory of the largest process that this one ever waited for, other tests' included, and
    the processor time of them all and this one. Seconds by the clock would tell of other work."""
    # Processes that nobody waited for are waited for when another one is started.
    gc.collect()
    subprocess.run(["true"], check=True)
    own, others = (
        resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    seconds = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
    return others.ru_maxrss * 1024, seconds


def test_there_are_two_hundred() -> None:
    assert len(BOMBS) >= 200


@pytest.mark.slow
@pytest.mark.native
@pytest.mark.parametrize("name", BOMBS)
def test_it_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    BOMBS[name](path)
    system = get_system("sumcheck", openings=local_openings)
    request = CompileRequest(path, _samples(path), tmp_path / "compiled")
    largest, began = _spent()
    with pytest.raises(InferproofError) as caught:
        system.compile(request)
    # A crash is contained, but nothing that we know of should come so far.
    assert caught.value.reason is not Reason.MODEL_PARSER_CRASHED
    held, ended = _spent()
    assert ended - began < WITHIN_S
    # Larger than all before it only if it is within the bound.
    assert held <= max(largest, WITHIN_BYTES)
    assert not (tmp_path / "compiled").exists()
