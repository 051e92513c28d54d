"""Writes docs/reference/reasons.md, cli.md, metrics.md and operators.md from the code.

Run `.venv/bin/python scripts/reference.py`; `--check` writes nothing and exits with 1 when a
file is not what the code says.
"""

import re
import sys
from pathlib import Path

import typer
from onnx import defs
from typer.main import get_command

from inferproof.cli.main import app
from inferproof.errors import Reason
from inferproof.models.classical import FORMS as CLASSICAL
from inferproof.models.contrib import FOREIGN, QUANTISED
from inferproof.models.contrib.forms import FORMS as CONTRIB
from inferproof.models.definitions import DEFINED
from inferproof.models.limits import NEWEST_OPSET
from inferproof.models.operators import BODIES, ML_DOMAIN, REFUSED, REFUSED_ML
from inferproof.models.sequences import SEQUENCES
from inferproof.models.texts import MOVED
from inferproof.observability.metrics import Metrics
from inferproof.proving.sumcheck.lower.forms import FORMS, UNPROVEN

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"


def reasons() -> str:
    """The catalogue of reasons, in the sections of errors.py."""
    source = (ROOT / "src" / "inferproof" / "errors.py").read_text("utf-8")
    lines = [
        "# Reasons",
        "",
        "Every failure carries one of these codes. The message is the template with the facts "
        "in braces filled in; both are in every JSON answer. Made by `scripts/reference.py`.",
    ]
    for line in source[source.index("class Reason") : source.index("def code")].splitlines():
        section = re.fullmatch(r"    # -- (.*?) -+", line)
        member = re.match(r"    ([A-Z0-9_]+) = ", line)
        if section:
            lines += ["", f"## {section[1]}", "", "| code | message |", "|---|---|"]
        elif member:
            text = Reason[member[1]].value.replace("|", "\\|")
            lines.append(f"| `{member[1]}` | {text} |")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Every command with its options, as `--help` tells them."""
    lines = [
        "# Commands",
        "",
        "Results go to standard output, everything else to standard error. Exit codes: 0 done or "
        "verified, 1 rejected or failed (with reason and message), 2 wrong usage. "
        "Made by `scripts/reference.py`.",
    ]
    _describe(get_command(app), ["inferproof"], lines)
    return "\n".join(lines) + "\n"


def metrics() -> str:
    """Every metric with its kind, its labels and what it says."""
    lines = [
        "# Metrics",
        "",
        "What `GET /metrics` shows. A counter's samples end in `_total`, a histogram's in "
        "`_count`, `_sum` and `_bucket`. Alert rules: `deploy/prometheus/alerts.yml`. "
        "Made by `scripts/reference.py`.",
        "",
        "| metric | kind | labels | what it says |",
        "|---|---|---|---|",
    ]
    for metric in Metrics().described():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(lines).replace("|  |", "| |") + "\n"


def operators() -> str:
    """Every operator of the pinned onnx package: what becomes of it, or why it is refused."""
    lines = [
        "# Operators",
        "",
        "Every operator of `ai.onnx` and `ai.onnx.ml` in the onnx package that is pinned: what it "
        "becomes in the integer graph (`specs/quantisation.md`) of proof system `sumcheck`, what "
        "it is written with when a model is read, or why it is refused and what to do instead. "
        "Made by `scripts/reference.py`; a test holds it to the package's schemas.",
        "",
        "## Proven",
        "",
        "*Cases* are the onnx package's own, by `tests/unit/proving/test_lowering_cases.py`; the "
        "other tests name the operator.",
        "",
        "| operator | becomes | limits | tests |",
        "|---|---|---|---|",
    ]
    folder = ROOT / "tests"
    places = [
        *(folder / "unit" / "proving").glob("test_lowering_*.py"),
        folder / "suites" / "networks.py",
        folder / "unit" / "models" / "test_canonical.py",
    ]
    texts = {path.stem: path.read_text("utf-8") for path in sorted(places)}
    modules = set(re.findall(r"[a-z0-9_]+", texts["test_lowering_cases"].split("REFUSED", 1)[0]))
    cases = {module.replace("_", "") for module in modules}
    for operator in sorted(FORMS):
        form, limits = FORMS[operator]
        tests = ["cases"] if operator.lower() in cases else []
        tests += [f"`{stem}`" for stem, text in texts.items() if f'"{operator}"' in text]
        lines.append(f"| {operator} | {form} | {limits} | {', '.join(tests)} |")
    lines += [
        "",
        "## Written with others",
        "",
        "When a model is read, so that every proof system has them. Those of classical machine "
        "learning (`ai.onnx.ml`) have scores with every post-transform and whole numbers "
        "as classes; ensembles of trees, above, stay what they are "
        "(`tests/unit/models/test_classical.py`). Those that the standard itself defines are "
        "written by that definition (`tests/unit/models/test_definitions.py`).",
        "",
        "| operator | becomes |",
        "|---|---|",
    ]
    written = dict(CLASSICAL) | dict.fromkeys(DEFINED, "the standard's own definition")
    written |= dict.fromkeys(BODIES, "its body, unrolled or chosen by constants")
    written |= dict.fromkeys(SEQUENCES, "the tensors that the sequence holds")
    written |= {name: CONTRIB[name] for name in QUANTISED & first_versions().keys() - FORMS.keys()}
    lines += [f"| {operator} | {form} |" for operator, form in sorted(written.items())]
    lines += [
        "",
        "## Refused",
        "",
        "| operator | why | what to do instead |",
        "|---|---|---|",
        *(f"| {name} | {why} | {instead} |" for name, (why, instead) in sorted(refused().items())),
        "",
        "## ONNX Runtime's own",
        "",
        "Operators that ONNX Runtime's optimiser and quantiser emit (`com.microsoft`) are written "
        "with those above as well. Floats of 16 and 64 bits are computed in 32. Tested against "
        "ONNX Runtime by `tests/unit/models/test_contrib.py`.",
        "",
        "| operator | becomes |",
        "|---|---|",
        *(
            f"| com.microsoft {name} | {CONTRIB[name]} |"
            for name in sorted(FOREIGN | QUANTISED - first_versions().keys())
        ),
        "",
        "Where they read texts of inputs, these are moved out of the graph, into the committed "
        f"pre-processing ([features](../../specs/features.md)): {', '.join(MOVED)}. Labels in "
        "texts behind a model leave it too, as names of class numbers. Tested against ONNX "
        "Runtime by `tests/unit/models/test_text_inputs.py` and `test_class_labels.py`.",
    ]
    return "\n".join(lines).replace("|  |", "| |") + "\n"


def refused() -> dict[str, tuple[str, str]]:
    """For each other operator of the package why it is refused, and what to do instead."""
    found = {name: ("it has no form in whole numbers", way) for name, way in UNPROVEN.items()}
    found |= REFUSED | {n: words for n, words in REFUSED_ML.items() if n not in CLASSICAL}
    for name, first in first_versions().items():
        if first > NEWEST_OPSET:
            newest = f"it is of opset {first}, ONNX Runtime runs {NEWEST_OPSET}"
            found.setdefault(name, (newest, f"export with opset {NEWEST_OPSET}"))
    return found


def first_versions() -> dict[str, int]:
    """The opset that first had each operator of both domains."""
    found: dict[str, int] = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain in ("", ML_DOMAIN):
            found[schema.name] = min(schema.since_version, found.get(schema.name, 2**31))
    return found


def _describe(command: object, path: list[str], lines: list[str]) -> None:
    children = getattr(command, "commands", None)
    if children is not None:
        for name in sorted(children):
            if not children[name].hidden:
                _describe(children[name], [*path, name], lines)
        return
    lines += ["", f"## {' '.join(path)}", "", str(getattr(command, "help", "") or "").strip(), ""]
    lines += ["| argument or option | default | what it is |", "|---|---|---|"]
    for parameter in getattr(command, "params", []):
        if parameter.name == "help":
            continue
        argument = parameter.param_type_name == "argument"
        name = parameter.metavar or parameter.name if argument else ", ".join(parameter.opts)
        default = "required" if parameter.required else _default(parameter.default)
        text = " ".join(str(parameter.help or "").split())
        lines.append(f"| `{name}` | {default} | {text} |".replace("|  |", "| |"))


def _default(value: object) -> str:
    if value in (None, False, [], ()):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def main() -> int:
    """Writes the files, or checks them."""
    check = "--check" in sys.argv[1:]
    stale = []
    texts = {
        "reasons.md": reasons(),
        "cli.md": commands(),
        "metrics.md": metrics(),
        "operators.md": operators(),
    }
    for name, text in texts.items():
        path = FOLDER / name
        if not check:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            stale.append(name)
    for name in stale:
        typer.echo(f"docs/reference/{name} is not what the code says; run scripts/reference.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
