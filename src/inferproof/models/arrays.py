"""Reading .npz files: named arrays of numbers or texts, without pickles and within a limit."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from inferproof.errors import InputRejected, Reason

MAX_ARRAY_BYTES = 4 * 2**30
"""Calibration data beyond this is a mistake or an attack; it is checked before unpacking."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1
_SUFFIX = ".npy"
_FAULTS = (
    *(OSError, ValueError, EOFError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError),
)


def read_arrays(path: Path) -> dict[str, Any]:
    """The arrays of an .npz file, by name. Raises: InputRejected NPZ_MALFORMED."""
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is not a regular file")
        with zipfile.ZipFile(path) as archive:
            return _members(archive)
    except _FAULTS as error:
        why = getattr(error, "strerror", None) or str(error).split("\n")[0] or "no details"
        raise InputRejected(Reason.NPZ_MALFORMED, path=path, why=why[:200]) from None


def stacked(array: Any, shape: tuple[int, ...]) -> Any:
    """Samples of an input of this shape as [samples, *shape]: what lacks the batch axis of size 1,
    as people keep their tables, is given it. What fits neither way is left as it is."""
    if array.ndim == len(shape) and shape[:1] == (1,) and array.shape[1:] == shape[1:]:
        return array.reshape(len(array), *shape)
    return array


def stacked_shapes(shape: tuple[int, ...], samples: int | None = None) -> str:
    """The shapes that samples of an input may be stacked in, for messages."""
    shapes = [shape, shape[1:]] if shape[:1] == (1,) else [shape]
    count = str(samples or "samples")
    return " or ".join(f"[{', '.join([count, *map(str, sizes)])}]" for sizes in shapes)


def _members(archive: zipfile.ZipFile) -> dict[str, Any]:
    items = archive.infolist()
    size = sum(item.file_size for item in items)
    if size > MAX_ARRAY_BYTES:
        raise ValueError(f"it unpacks to {size} bytes, the limit is {MAX_ARRAY_BYTES}")
    if len({item.filename for item in items}) != len(items):
        raise ValueError("it holds two arrays of one name")
    return {item.filename.removesuffix(_SUFFIX): _array(archive, item) for item in items}


def _array(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> Any:
    name = item.filename
    if not name.endswith(_SUFFIX):
        raise ValueError(f"{name} in it is not an array")
    if item.flag_bits & _ENCRYPTED or item.compress_type not in _METHODS:
        raise ValueError(f"{name} in it is encrypted, or compressed in an unusual way")
    with archive.open(item) as file:
        shape, dtype = _header(file)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which are never loaded")
    if dtype.kind not in "biufU":
        raise ValueError(f"{name} holds {dtype}, not numbers or texts")
    # numpy makes room for what the header promises; what the member holds is known here.
    if _count(shape) * dtype.itemsize > item.file_size:
        raise ValueError(f"{name} promises more numbers than it holds")
    with archive.open(item) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"arrays of version {version} are not known")
    return shape, dtype


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        if size < 0:
            raise ValueError("a size is negative")
        count *= size
    return count
