"""The door to the native module: found and loaded on use, the best build for this processor."""

import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import numpy.typing as npt

from inferproof.errors import ArtifactRejected, MissingPart, Reason
from inferproof.proving.sumcheck.cpu import usable

if TYPE_CHECKING:
    from types import ModuleType

    from inferproof.proving.sumcheck import _native

NAME = "inferproof.proving.sumcheck._native"
HERE = Path(__file__).parent
_LOCK = Lock()
_threads = 0

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]


class Native(Protocol):
    """The native module, as _native.pyi describes it."""

    NativeError: type[Exception]
    PrivateKey: "type[_native.PrivateKey]"
    VerifyingKey: "type[_native.VerifyingKey]"

    def build(self) -> str: ...
    def sources(self) -> str: ...
    def use_threads(self, count: int) -> int: ...
    def threads(self) -> int: ...
    def check_graph(self, graph: bytes) -> None: ...
    def graph_size(self, graph: bytes) -> tuple[int, int, int]: ...
    def run_graph(
        self,
        graph: bytes,
        weights: Int8s,
        inputs: Sequence[Int32s],
        parameters: Int32s | None = None,
    ) -> list[Int32s]: ...
    def commit_private(
        self, graph: bytes, weights: Int8s, parameters: Int32s, profile: str
    ) -> "tuple[bytes, bytes, _native.PrivateKey]": ...
    def security(self, graph: bytes, profile: str) -> str: ...


def installed() -> tuple[tuple[str, Path], ...]:
    """The builds of the native module that are here and run on this processor, best first."""
    found = []
    for variant in usable():
        stem = "_native" if variant == "portable" else f"_native_{variant}"
        paths = [HERE / f"{stem}{suffix}" for suffix in (".abi3.so", *EXTENSION_SUFFIXES)]
        found += [(variant, path) for path in paths[:1] + paths[1:] if path.is_file()][:1]
    return tuple(found)


def library() -> Native:
    """The native module.

    Raises: MissingPart MISSING_NATIVE where no build of it is installed.
    """
    with _LOCK:
        loaded = sys.modules.get(NAME)
        if loaded is None:
            loaded = _load()
            loaded.use_threads(_threads)
            sys.modules[NAME] = loaded
    return cast("Native", loaded)


def use_threads(count: int) -> None:
    """Makes the native module work on so many threads a call from now on, in this whole process.

    0: on as many as RAYON_NUM_THREADS says, or else as there are cores that it may use. Where no
    build is installed nothing happens: whoever proves is told so.
    """
    global _threads
    with _LOCK:
        _threads = count
        loaded = sys.modules.get(NAME)
    if loaded is not None:
        loaded.use_threads(count)


def graph_rejection(failure: Exception) -> ArtifactRejected | None:
    """The reason that the native module refuses a graph or a key for, where it is one of ours.

    Those are GRAPH_ reasons and KEY_TOO_COSTLY.
    """
    code, _message, *facts = failure.args
    if not facts or code not in Reason.__members__:
        return None
    return ArtifactRejected(Reason[code], **facts[0])


def _load() -> "ModuleType":
    for _variant, path in installed():
        spec = spec_from_file_location(NAME, path, loader=ExtensionFileLoader(NAME, str(path)))
        assert spec is not None  # noqa: S101  (a loader was given)
        assert spec.loader is not None  # noqa: S101
        try:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
        except ImportError:
            # Built for another system or C library, as in a folder that machines share.
            continue
        return module
    raise MissingPart(Reason.MISSING_NATIVE)
