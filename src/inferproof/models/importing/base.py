"""What every import shares: the sample, the exporter's faults, and the check of what came out."""

import importlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import InputRejected, MissingPart, ModelRejected, Reason
from inferproof.models.load import load_model
from inferproof.models.loaded import LoadedModel
from inferproof.models.measure import measure
from inferproof.models.show import first_line, printable

Array = npt.NDArray[Any]

CHECKED = 64
"""Rows of the sample on which library and exported model are compared."""
ALIKE = 1e-3
"""Two values are alike within this share of the larger one, or of 1. Exporters go from 64 to 32
bits; another function is further off."""
LEAST_ALIKE = 0.9
"""Rows that must be alike. A value within a rounding of a tree's threshold may take the other
side; that is rare."""


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """What a library's exporter wrote, and what the library itself says to the sample.

    Shapes: each sample is [rows, *shape of that input]; each answer has the rows first, in the
    order of the model's outputs, and is None where the library has no such answer.
    """

    library: str
    onnx: bytes
    samples: dict[str, Array]
    answers: tuple[Array | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A model that intake takes, its sample as calibration takes it, and how near it is.

    `alike` is the share of rows whose `compared` outputs, classes among them, are all as the
    library's own; `difference` the largest one of an output of real numbers.
    """

    onnx: bytes
    model: LoadedModel
    samples: dict[str, Array]
    difference: float
    alike: float
    compared: tuple[str, ...]

    def save(self, path: Path | str) -> Path:
        """The path, after the model was written there."""
        Path(path).write_bytes(self.onnx)
        return Path(path)

    def save_samples(self, path: Path | str) -> Path:
        """The path, after the sample was written there as a calibration file."""
        with Path(path).open("wb") as file:
            np.savez(file, **self.samples)  # type: ignore[arg-type]
        return Path(path)


def need_libraries(kind: str, *, exporter: str | None = None, own: str) -> None:
    """Returns when the library and its exporter are there. Raises: MissingPart MISSING_LIBRARY."""
    wanted = [(own, f"pip install {_PACKAGES.get(own, own)}")]
    if exporter is not None:
        wanted.append((exporter, "pip install 'inferproof[import]'"))
    for package, command in wanted:
        try:
            importlib.import_module(package)
        except ImportError as missing:
            raise MissingPart(
                Reason.MISSING_LIBRARY,
                feature=f"importing a model of {kind}",
                package=missing.name or package,
                command=command,
            ) from None


_PACKAGES = {"sklearn": "scikit-learn"}


def one_table(sample: Any) -> tuple[str, Array]:
    """The name of the one input, and its rows. Shapes: [rows, features], float32.

    A mapping of one array names the input. Raises: InputRejected IMPORT_SAMPLE.
    """
    name, table = "X", sample
    if isinstance(sample, Mapping):
        if len(sample) != 1:
            raise _no_sample(f"it holds {len(sample)} arrays")
        ((name, table),) = sample.items()
    rows = np.asarray(table)
    if rows.ndim == 3 and rows.shape[1] == 1:
        rows = rows[:, 0]
    if rows.dtype.kind not in "fiub" or rows.ndim != 2 or not rows.size:
        raise _no_sample(f"it is {rows.dtype.name}{list(rows.shape)}")
    rows = rows.astype(np.float32)
    if not np.isfinite(rows).all():
        raise InputRejected(Reason.INPUT_NOT_FINITE, name=printable(str(name)))
    return str(name), rows


def _no_sample(why: str) -> InputRejected:
    return InputRejected(Reason.IMPORT_SAMPLE, why=why)


@contextmanager
def exporting(library: str) -> Iterator[None]:
    """Turns what an exporter or its library raises into one rejection.

    Raises: ModelRejected EXPORT_REFUSED.
    """
    try:
        yield
    except _faults() as error:
        # What they say is often no more than a name.
        said = first_line(f"{type(error).__name__}: {error}")
        raise ModelRejected(Reason.EXPORT_REFUSED, library=library, why=said) from None


def _faults() -> tuple[type[Exception], ...]:
    """What converters raise: they have no base of their own, some libraries do."""
    import sys

    found: list[type[Exception]] = [
        *(RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError),
        *(ImportError, NameError, OSError, EOFError, AssertionError),
    ]
    for module, name in _OWN_FAULTS:
        if module in sys.modules:
            found.append(getattr(sys.modules[module], name))
    return tuple(found)


_OWN_FAULTS = (
    ("pickle", "PickleError"),
    ("lightgbm.basic", "LightGBMError"),
    ("catboost", "CatBoostError"),
)


def imported(exported: Exported) -> Imported:
    """The model as intake takes it, after it was run beside the library's own answers.

    Raises: as `load_model` and `measure`; ModelRejected IMPORT_DIFFERS.
    """
    with tempfile.TemporaryDirectory(prefix="inferproof-import-") as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(exported.onnx)
        model = load_model(path)
    checked = {name: array[:CHECKED] for name, array in exported.samples.items()}
    outputs = measure(model, checked).outputs
    difference, alike, compared = 0.0, np.ones(1, np.bool_), []
    for spec, answer in zip(model.outputs, exported.answers, strict=False):
        ours = outputs[spec.name].astype(np.float64).reshape(len(outputs[spec.name]), -1)
        if answer is None or answer[:CHECKED].size != ours.size:
            continue
        theirs = answer[:CHECKED].astype(np.float64).reshape(ours.shape)
        apart = np.abs(ours - theirs)
        if spec.dtype.startswith("float"):
            difference = max(difference, float(apart.max(initial=0.0)))
        near = apart <= ALIKE * np.maximum(1.0, np.abs(theirs))
        alike = alike & near.all(axis=1)
        compared.append(spec.name)
    share = float(np.mean(alike))
    if not compared or share < LEAST_ALIKE:
        raise ModelRejected(
            Reason.IMPORT_DIFFERS,
            library=exported.library,
            share=f"{1 - share:.0%}" if compared else "all",
            difference=f"{difference:.3g}",
        )
    return Imported(exported.onnx, model, exported.samples, difference, share, tuple(compared))
