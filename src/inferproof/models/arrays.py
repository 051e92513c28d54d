"""Reading .npz files: named arrays, without pickles and within a limit."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from inferproof.errors import InputRejected, Reason

MAX_ARRAY_BYTES = 4 * 2**30
"""Calibration data beyond this is a mistake or an attack; it is checked before unpacking."""


def read_arrays(path: Path) -> dict[str, Any]:
    """The arrays of an .npz file, by name. Raises: InputRejected NPZ_MALFORMED."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > MAX_ARRAY_BYTES:
            raise ValueError(f"it unpacks to {size} bytes, the limit is {MAX_ARRAY_BYTES}")
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        why = getattr(error, "strerror", None) or str(error).split("\n")[0] or "no details"
        raise InputRejected(Reason.NPZ_MALFORMED, path=path, why=why[:200]) from None
