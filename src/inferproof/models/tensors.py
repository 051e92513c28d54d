"""Stored tensors of an untrusted model, decoded to arrays after their claims are checked."""

import errno
import math
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from inferproof.errors import ModelRejected, Reason
from inferproof.models.limits import Limits
from inferproof.models.show import shown

Array = npt.NDArray[Any]

DTYPES: dict[int, np.dtype[np.generic]] = {
    TensorProto.FLOAT: np.dtype("<f4"),
    TensorProto.DOUBLE: np.dtype("<f4"),
    TensorProto.FLOAT16: np.dtype("<f4"),
    TensorProto.BFLOAT16: np.dtype("<f4"),
    TensorProto.INT8: np.dtype("i1"),
    TensorProto.INT16: np.dtype("<i2"),
    TensorProto.INT32: np.dtype("<i4"),
    TensorProto.INT64: np.dtype("<i8"),
    TensorProto.UINT8: np.dtype("u1"),
    TensorProto.UINT16: np.dtype("<u2"),
    TensorProto.UINT32: np.dtype("<u4"),
    TensorProto.UINT64: np.dtype("<u8"),
    TensorProto.BOOL: np.dtype("?"),
}
"""What each element type is computed in: floats of any width in float32."""
OTHER_FLOATS = frozenset({TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16})
NIBBLES: dict[int, np.dtype[np.generic]] = {
    TensorProto.INT4: np.dtype("i1"),
    TensorProto.UINT4: np.dtype("u1"),
}
"""Whole numbers of 4 bits, two in a byte. Only weights may have them."""
_STORED: dict[int, np.dtype[np.generic]] = {
    TensorProto.DOUBLE: np.dtype("<f8"),
    TensorProto.FLOAT16: np.dtype("<f2"),
    TensorProto.BFLOAT16: np.dtype("<u2"),
    TensorProto.INT4: np.dtype("u1"),
    TensorProto.UINT4: np.dtype("u1"),
}
"""What the bytes in the file hold, where it is not what is computed with."""
_LARGEST = float(np.finfo(np.float32).max)
_TYPED_FIELDS: dict[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
}
_ALL_FIELDS = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,19}")


def dtype_of(name: str, code: int) -> np.dtype[np.generic]:
    """The numpy type that an ONNX element type is computed in.

    Raises: ModelRejected with MODEL_STRING_TENSOR or MODEL_DTYPE_UNSUPPORTED.
    """
    if code == TensorProto.STRING:
        raise ModelRejected(Reason.MODEL_STRING_TENSOR, name=shown(name))
    if code not in DTYPES:
        raise unknown_dtype(name, code)
    return DTYPES[code]


def unknown_dtype(name: str, code: int) -> ModelRejected:
    """The rejection of a tensor for its element type."""
    known = TensorProto.DataType.keys()
    label = TensorProto.DataType.Name(code) if 0 <= code < len(known) else str(code)
    return ModelRejected(Reason.MODEL_DTYPE_UNSUPPORTED, name=shown(name), dtype=label)


def check_shape(name: str, shape: tuple[int, ...], limits: Limits) -> int:
    """The number of elements of a shape without negative sizes.

    Raises: ModelRejected with MODEL_RANK_TOO_HIGH, MODEL_BAD_SHAPE or MODEL_TENSOR_TOO_LARGE.
    """
    if len(shape) > limits.rank:
        raise ModelRejected(
            Reason.MODEL_RANK_TOO_HIGH, name=shown(name), rank=len(shape), limit=limits.rank
        )
    if any(size < 0 for size in shape):
        raise ModelRejected(Reason.MODEL_BAD_SHAPE, name=shown(name), shape=list(shape))
    elements = math.prod(shape)
    if max(shape, default=0) > limits.size_operand or elements > limits.tensor_elements:
        raise ModelRejected(
            Reason.MODEL_TENSOR_TOO_LARGE,
            name=shown(name),
            elements=elements,
            limit=limits.tensor_elements,
        )
    return elements


@dataclass(slots=True)
class TensorReader:
    """Decodes tensors one after the other and keeps count of what they take together.

    `folder` is where external data may lie; None refuses all of it.
    """

    limits: Limits
    folder: Path | None
    weight_bytes: int = 0
    external_bytes: int = 0
    nibbles: set[str] = field(default_factory=set)
    """Names of the tensors that hold whole numbers of 4 bits."""

    def read(self, name: str, tensor: TensorProto) -> Array:
        """The tensor's values, numbers or infinite, little-endian, in its shape; floats as float32.

        A float64 becomes the nearest float32, at most the largest. Whole numbers of 4 bits become
        such of 8 bits.
        Raises: ModelRejected with MODEL_STRING_TENSOR, MODEL_DTYPE_UNSUPPORTED,
        MODEL_RANK_TOO_HIGH, MODEL_BAD_SHAPE, MODEL_TENSOR_TOO_LARGE, MODEL_WEIGHTS_TOO_LARGE,
        MODEL_TENSOR_DATA_MISMATCH, MODEL_NOT_FINITE or a MODEL_EXTERNAL_DATA reason.
        """
        code = int(tensor.data_type)
        dtype = NIBBLES[code] if code in NIBBLES else dtype_of(name, code)
        shape = tuple(tensor.dims)
        elements = check_shape(name, shape, self.limits)
        if elements == 0 and len(shape) != 1:
            # An empty list says "no axes" or "no sizes"; an empty matrix says nothing.
            raise ModelRejected(Reason.MODEL_BAD_SHAPE, name=shown(name), shape=list(shape))
        self.weight_bytes += elements * dtype.itemsize
        if self.weight_bytes > self.limits.weight_bytes:
            raise ModelRejected(
                Reason.MODEL_WEIGHTS_TOO_LARGE,
                size=self.weight_bytes,
                limit=self.limits.weight_bytes,
            )
        if tensor.HasField("segment"):
            raise self._mismatch(name, shape, "part of its")
        stored = _STORED.get(code, dtype)
        count = -(-elements // 2) if code in NIBBLES else elements
        if tensor.data_location == TensorProto.EXTERNAL:
            flat = np.frombuffer(self._external(name, tensor, count * stored.itemsize), stored)
        else:
            flat = self._inline(name, tensor, stored, shape, count)
        if code in NIBBLES:
            self.nibbles.add(name)
        where = f"tensor {shown(name)}"
        return numbered(where, _computed(code, numbered(where, flat), elements).reshape(shape))

    def _inline(
        self,
        name: str,
        tensor: TensorProto,
        dtype: np.dtype[np.generic],
        shape: tuple[int, ...],
        elements: int,
    ) -> Array:
        expected = _TYPED_FIELDS.get(int(tensor.data_type), "int32_data")
        used = [part for part in _ALL_FIELDS if len(getattr(tensor, part)) > 0]
        if used == ["raw_data"]:
            raw: bytes = tensor.raw_data
            if len(raw) != elements * dtype.itemsize:
                raise self._mismatch(name, shape, len(raw) / dtype.itemsize)
            if dtype == np.dtype("?") and not set(raw) <= {0, 1}:
                # Any byte but 0 and 1 makes booleans that differ from machine to machine.
                truth: Array = np.frombuffer(raw, np.uint8) != 0
                return truth
            return np.frombuffer(raw, dtype)
        if used not in ([], [expected]):
            raise self._mismatch(name, shape, "other or several types of")
        values = getattr(tensor, expected)
        if len(values) != elements:
            raise self._mismatch(name, shape, len(values))
        if tensor.data_type in (TensorProto.FLOAT16, TensorProto.BFLOAT16):
            wide = np.array(values, dtype=np.int64)
            return (wide & 0xFFFF).astype("<u2").view(dtype)
        if tensor.data_type in NIBBLES:
            return (np.array(values, dtype=np.int64) & 0xFF).astype("u1")
        wide = np.array(values, dtype=_wide(dtype))
        narrow = wide.astype(dtype)
        if dtype.kind in "iu" and not np.array_equal(narrow.astype(wide.dtype), wide):
            raise self._mismatch(name, shape, "out-of-range")
        return narrow

    def _mismatch(self, name: str, shape: tuple[int, ...], got: int | float | str) -> ModelRejected:
        whole = int(got) if isinstance(got, float) and got.is_integer() else got
        return ModelRejected(
            Reason.MODEL_TENSOR_DATA_MISMATCH, name=shown(name), shape=list(shape), got=whole
        )

    def _external(self, name: str, tensor: TensorProto, size: int) -> bytes:
        entries: dict[str, str] = {}
        for entry in tensor.external_data:
            if entry.key in entries:
                raise _bad_external(name, f"{shown(entry.key)} is given twice")
            entries[entry.key] = entry.value
        location = entries.get("location", "")
        offset = _whole(name, "offset", entries.get("offset", "0"))
        length = _whole(name, "length", entries.get("length", str(size)))
        if length != size:
            raise _bad_external(name, f"its length is {length} bytes, its shape needs {size}")
        self.external_bytes += size
        if self.external_bytes > self.limits.external_bytes:
            raise ModelRejected(
                Reason.MODEL_EXTERNAL_DATA_TOO_LARGE,
                size=self.external_bytes,
                limit=self.limits.external_bytes,
            )
        return read_below(self.folder, name, location, offset, size)


def _computed(code: int, flat: Array, elements: int) -> Array:
    """The values in the type that is computed with, from those in the file."""
    if code == TensorProto.BFLOAT16:
        # The upper half of a float32.
        return (flat.astype("<u4") << 16).view("<f4")
    if code == TensorProto.DOUBLE:
        return np.clip(flat, -_LARGEST, _LARGEST).astype("<f4")
    if code == TensorProto.FLOAT16:
        return flat.astype("<f4")
    if code in NIBBLES:
        pairs = np.stack([flat & 15, flat >> 4], axis=1).reshape(-1)[:elements]
        return (pairs ^ 8).astype("i1") - np.int8(8) if code == TensorProto.INT4 else pairs
    return flat


def numbered(where: str, array: Array) -> Array:
    """The array, when none of its values is NaN. Raises: ModelRejected MODEL_NOT_FINITE."""
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ModelRejected(Reason.MODEL_NOT_FINITE, where=where, what="NaN")
    return array


def finished(where: str, array: Array) -> Array:
    """The array, when all its values are finite. Raises: ModelRejected MODEL_NOT_FINITE."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelRejected(Reason.MODEL_NOT_FINITE, where=where, what="NaN or an infinity")
    return array


def read_below(folder: Path | None, name: str, location: str, offset: int, size: int) -> bytes:
    """`size` bytes at `offset` of a plain file below `folder`, reached without any link.

    Each part of the path is opened relative to the one before without following links, so
    that no link, not even one put there meanwhile, leads elsewhere.
    Raises: ModelRejected with MODEL_EXTERNAL_DATA_ESCAPES, MODEL_EXTERNAL_DATA_MISSING or
    MODEL_EXTERNAL_DATA_MALFORMED.
    """
    parts = PurePosixPath(location).parts
    escapes = ModelRejected(
        Reason.MODEL_EXTERNAL_DATA_ESCAPES, name=shown(name), location=shown(location)
    )
    foreign = any(char in location for char in "\\\0:") or location.startswith("/")
    if folder is None or not parts or foreign or ".." in parts:
        raise escapes
    opened: list[int] = []
    try:
        opened.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
        for part in parts[:-1]:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            opened.append(os.open(part, flags, dir_fd=opened[-1]))
        # Non-blocking, or a named pipe in the folder would hold us forever.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        opened.append(os.open(parts[-1], flags, dir_fd=opened[-1]))
        status = os.fstat(opened[-1])
        if not stat.S_ISREG(status.st_mode):
            raise escapes
        if offset + size > status.st_size:
            raise _bad_external(name, "it reaches beyond the end of its file")
        return _read_exactly(opened[-1], name, offset, size)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
            raise escapes from None
        raise ModelRejected(
            Reason.MODEL_EXTERNAL_DATA_MISSING, name=shown(name), location=shown(location)
        ) from None
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _read_exactly(descriptor: int, name: str, offset: int, size: int) -> bytes:
    chunks: list[bytes] = []
    while size:
        # One read gives at most 2 GiB on Linux.
        chunk = os.pread(descriptor, min(size, 2**30), offset)
        if not chunk:
            raise _bad_external(name, "it reaches beyond the end of its file")
        chunks.append(chunk)
        offset += len(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _wide(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    if dtype.kind == "f":
        return dtype
    return np.dtype(np.uint64 if dtype in (np.dtype("<u4"), np.dtype("<u8")) else np.int64)


def _whole(name: str, key: str, text: str) -> int:
    if _WHOLE_NUMBER.fullmatch(text) is None:
        raise _bad_external(name, f"its {key} is not a whole number")
    return int(text)


def _bad_external(name: str, why: str) -> ModelRejected:
    return ModelRejected(Reason.MODEL_EXTERNAL_DATA_MALFORMED, name=shown(name), why=why)
