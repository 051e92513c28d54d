"""PyTorch, by its own exporter."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from inferproof.errors import InputRejected, Reason
from inferproof.models.importing.base import (
    CHECKED,
    Array,
    Exported,
    Imported,
    exporting,
    imported,
    need_libraries,
)

LIBRARY = "PyTorch"
OPSET = 18
"""What the exporter writes natively: it converts nothing for it."""
SCRIPT_OPSET = 17
"""The newest that the exporter of TorchScript writes."""


def from_torch(module: Any, sample: Any) -> Imported:
    """The model of a module in evaluation mode, for one sample at a time.

    Shapes: each array of the sample has the samples first, which is the batch axis of an argument
    of `forward`: one array, several in the order of the arguments, or a mapping, whose names the
    inputs get. Raises: as `from_sklearn`.
    """
    return imported(export(module, sample))


def export(module: Any, sample: Any) -> Exported:
    """What torch.onnx writes for a module, an exported program or a TorchScript module. Raises:
    as `from_torch`."""
    need_libraries(LIBRARY, own="torch", exporter="onnxscript")
    arrays = _arguments(sample)
    with exporting(LIBRARY):
        import torch

        rows = [
            tuple(torch.from_numpy(array[at : at + 1]) for array in arrays.values())
            for at in range(min(CHECKED, len(next(iter(arrays.values())))))
        ]
        run: Any = module
        if isinstance(module, torch.export.ExportedProgram):
            run = module.module()
            made = _program(module, (), list(arrays))
        elif isinstance(module, torch.jit.ScriptModule):
            made = _script(module, rows[0], list(arrays))
        else:
            module.eval()
            made = _program(module, rows[0], list(arrays))
        with torch.no_grad():
            said = [_tensors(run(*row)) for row in rows]
    answers = tuple(
        np.stack([np.asarray(row[place].numpy()) for row in said]) for place in range(len(said[0]))
    )
    samples = {name: array[:, np.newaxis] for name, array in arrays.items()}
    return Exported(LIBRARY, made, samples, answers)


def _program(module: Any, arguments: tuple[Any, ...], names: list[str]) -> bytes:
    import torch

    made = torch.onnx.export(
        module, arguments, input_names=names, opset_version=OPSET, dynamo=True, verbose=False
    )
    raw: bytes = made.model_proto.SerializeToString()
    return raw


def _script(module: Any, arguments: tuple[Any, ...], names: list[str]) -> bytes:
    import torch

    file = io.BytesIO()
    torch.onnx.export(
        module, arguments, file, input_names=names, opset_version=SCRIPT_OPSET, dynamo=False
    )
    return file.getvalue()


def _tensors(said: Any) -> list[Any]:
    """The tensors that a module gives, in the order in which the exporter lists them."""
    if isinstance(said, Mapping):
        said = list(said.values())
    if isinstance(said, (list, tuple)):
        return [tensor for item in said for tensor in _tensors(item)]
    return [said.detach()]


def _arguments(sample: Any) -> dict[str, Array]:
    """The arrays by the names of inputs. Raises: InputRejected IMPORT_SAMPLE."""
    if isinstance(sample, Mapping):
        given = {str(name): sample[name] for name in sample}
    elif isinstance(sample, (list, tuple)):
        given = {f"x{number}": array for number, array in enumerate(sample)}
    else:
        given = {"x": sample}
    arrays = {name: np.asarray(array) for name, array in given.items()}
    arrays = {
        name: array.astype(np.float32) if array.dtype.kind == "f" else array.copy()
        for name, array in arrays.items()
    }
    lengths = {len(array) if array.ndim else 0 for array in arrays.values()}
    if (
        len(lengths) != 1
        or 0 in lengths
        or any(a.dtype.kind not in "fiub" for a in arrays.values())
    ):
        told = ", ".join(f"{a.dtype.name}{list(a.shape)}" for a in arrays.values())
        raise InputRejected(Reason.IMPORT_SAMPLE, why=f"it is {told or 'empty'}")
    return arrays
