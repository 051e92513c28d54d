"""A model file with the mechanical ways out applied, and what that changed in words.

What is written is the form in which every part of this package sees the model: fixed shapes,
constants computed, operators written with others where intake does so, nothing unused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inferproof.errors import ModelRejected, Reason
from inferproof.models.axes import Axes
from inferproof.models.isolation import Head, run_isolated
from inferproof.models.limits import DEFAULT_LIMITS, Limits
from inferproof.models.load import check_file, from_head
from inferproof.models.loaded import LoadedModel
from inferproof.models.show import printable, shown
from inferproof.types.tensor import TensorSpec


@dataclass(frozen=True, slots=True)
class Fixed:
    """The model as it is written, and each change in a sentence, most visible first."""

    model: LoadedModel
    changes: tuple[str, ...]


def fix_model(
    path: Path,
    keep: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    axes: Axes = Axes(),
) -> Fixed:
    """The file's model, with only the outputs of `keep` where that names any.

    Training steps and outputs that depend on no input are left out. Raises: as `load_model`;
    MODEL_OUTPUT_UNKNOWN.
    """
    check_file(path, limits)
    request = {"path": str(path.absolute()), "keep": list(keep), "axes": axes.to_json()}
    head, blobs = run_isolated("fix", request, (), limits, ("onnx",))
    try:
        (onnx,) = blobs
        before, model = head["before"], from_head(head["model"], onnx)
        told = [*(_text(item) for item in head["left_out"]), *_changes(before, model)]
    except (ValueError, TypeError, KeyError):
        raise ModelRejected(Reason.MODEL_PARSER_CRASHED, how="its answer cannot be read") from None
    return Fixed(model, tuple(told))


def _changes(before: Head, model: LoadedModel) -> list[str]:
    from inferproof.models.classical import FORMS

    after = dict(model.operators)
    counted = {_text(name): int(n) for name, n in before["operators"].items()}
    told = [
        *_interfaces("input", before["inputs"], model.inputs),
        *_interfaces("output", before["outputs"], model.outputs),
    ]
    opset = next((v for d, v in before["opsets"].items() if d in ("", "ai.onnx")), "not named")
    if opset != model.opset:
        told.append(f"operator set: {printable(str(opset))} → {model.opset}")
    if before["functions"]:
        told.append(f"functions: {int(before['functions'])} written out")
    if before["outside"]:
        told.append(f"tensors in files beside the model: {int(before['outside'])} built in")
    for name in sorted(counted.keys() | after.keys()):
        old, new = counted.get(name, 0), after.get(name, 0)
        if old != new:
            how = f", written as: {FORMS[name]}" if name in FORMS and old > new else ""
            told.append(f"operator {printable(name)}: {old} → {new}{how or _why(name, old, new)}")
    return told


def _why(name: str, old: int, new: int) -> str:
    from inferproof.models.operators import BODIES

    if new > old:
        return ""
    if name in BODIES:
        return ", written out"
    return ", kept as stored tensors" if name == "Constant" else ", computed beforehand or unused"


def _interfaces(what: str, before: list[list[str]], after: tuple[TensorSpec, ...]) -> list[str]:
    old = {_text(name): _text(kind) for name, kind in before}
    told = []
    for spec in after:
        new = f"{spec.dtype}[{', '.join(map(str, spec.shape))}]"
        if old.get(spec.name) != new:
            was = printable(old.get(spec.name, "a part of a sequence"))
            told.append(f"{what} {shown(spec.name)}: {was} → {new}")
    return told


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError("a name is text")
    return value


def fix_here(path: Path, keep: list[str], limits: Limits, axes: Axes) -> tuple[Head, LoadedModel]:
    """The sandbox's side of `fix_model`. Raises: as it."""
    from onnx import ModelProto

    from inferproof.models.described import depending, describe
    from inferproof.models.parse import parse_untrusted, read_proto, read_untrusted

    data = read_untrusted(path, limits)
    model: ModelProto = read_proto(data, limits)
    before, left_out = describe(model), []
    graph = model.graph
    known = [info.name for info in graph.output]
    for name in keep:
        if name not in known:
            told = ", ".join(map(printable, known))
            raise ModelRejected(Reason.MODEL_OUTPUT_UNKNOWN, name=shown(name), known=told)
    if model.training_info:
        left_out.append(f"training steps: {len(model.training_info)} left out")
        model.ClearField("training_info")
    live = depending(graph)
    for info in reversed(list(graph.output)):
        unwanted, idle = bool(keep) and info.name not in keep, info.name not in live
        if unwanted or (idle and not keep and len(graph.output) > 1):
            why = "not asked for" if unwanted else "depends on no input"
            left_out.append(f"output {shown(info.name)}: left out, {why}")
            graph.output.remove(info)
    changed = model.SerializeToString() if left_out else data
    loaded = parse_untrusted(changed, limits, path.parent, axes)
    if loaded.preprocessing is not None or any(spec.labels for spec in loaded.outputs):
        raise ModelRejected(Reason.MODEL_TEXTS_KEPT)
    return {"before": before, "left_out": left_out}, loaded
