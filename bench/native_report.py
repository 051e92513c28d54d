"""The native prover's section of RESULTS.md."""

from typing import Any

from bench.native_prove import PHASES
from bench.peer_report import beside, render_peers
from bench.tables import QUIET, human, image, ratio, table

MEMORY_PER_WEIGHT = 20
MEMORY_MB = 64
BITS = 100

PEERS = {
    "mlp-784-128-10": ("0.20 s ¹", "", "5.2 s ¹"),
    "lenet-5": ("no convolutions", "", "44.8 s ¹"),
    "mlp-512-1024-512": ("0.65 s for 2.1M ¹", "", ""),
    "mlp-1024-2048-1024": ("about 1 s ¹", "2.34 s ³", ""),
    "depthwise-cnn": ("no convolutions", "1.24 s for 264k ³", ""),
    "transformer-64x64": ("7.8 s ¹", "", ""),
    "nanogpt-4x64": ("19.2–20.2 s ¹, 2.29 s ²", "", "237 s ²"),
}
"""JOLT Atlas, DeepProve and ezkl, by model: seconds for one proof, none of them of this run."""


def render_native(native: dict[str, Any] | None, peers: dict[str, Any] | None = None) -> str:
    """The section, with ezkl's figures where there are any; nothing where it was not measured."""
    if native is None:
        return ""
    rows = beside(native["rows"], peers)
    done = [row for row in rows if "refused" not in row]
    told = native["others"]
    others = "" if told is None else f"; others took {told:.0%} of the cores"
    if told is not None and told >= QUIET:
        others += ": **not quiet**, so read processor times"
    parts = [
        "## The native prover",
        "Proof system `sumcheck`, whose proofs hide weights and what is computed. One warm "
        "process; each proof is of another input, and its time runs from the input's real numbers "
        "to the proof's bytes. "
        f"Measured on {native['date']}{others}.",
        _times(rows),
        "Median, and in brackets the smallest and the largest. Plan and stretch are the times "
        "that were set for two cores before any of it was written; goals for verifying and for "
        "the bytes of a proof stand behind a slash. What is beyond its goal is in bold, and so is "
        f"peak memory of more than {MEMORY_PER_WEIGHT} bytes for each byte of weights + "
        f"{MEMORY_MB} MB, and less than {BITS} provable bits (profile `default`, and in brackets "
        "`conservative`). Links tie an epoch to its key: a verifier that knows those of an epoch "
        "needs them no more. Overhead is the time over that of a plain run by ONNX Runtime on one "
        "thread. Peak memory is that of the whole process, proving with its key loaded, and "
        "beside it that of loading the key. Weights count in bytes: a weight of 16 bits is two.",
        _refusals(rows),
    ]
    if done:
        parts += [
            image("native.png"),
            _phases(done),
            image("native_phases.png"),
            _accuracy(done),
            _throughput(done),
            render_peers(rows, peers),
            _peers(done),
        ]
    return "\n\n".join(filter(None, parts))


def _times(rows: list[dict[str, Any]]) -> str:
    head = (
        *("model", "parameters", "weights", "plan", "stretch", "prove", "result", "overhead"),
        *("ezkl ÷ native", "verify", "proof", "links", "peak memory", "loading", "provable bits"),
        "compile",
    )
    return table(head, [_row(row) for row in rows], left=1)


def _row(row: dict[str, Any]) -> list[str]:
    goals = row["goals"]
    targets = [f"{goals[name]:,g} ms" if goals else "–" for name in ("plan_ms", "stretch_ms")]
    if "refused" in row:
        code = f"`{row['refused']['reason']}`"
        return [row["model"], "–", "–", *targets, "–", code, *["–"] * 8]
    allowed = MEMORY_PER_WEIGHT * row["weights"] / 1e6 + MEMORY_MB
    peak, verify_ms = row["prove_peak_mb"], row["verify_s"]["median"] * 1e3
    bits = row["security"]
    return [
        row["model"],
        f"{row['parameters']:,}",
        f"{row['weights']:,} B",
        *targets,
        _spread(row["prove_s"]),
        verdict(row),
        f"{row['prove_s']['median'] / row['plain_s']['median']:,.0f} ×",
        ratio(row["ezkl"]["prove_s"]["median"], row["prove_s"]["median"]) if row["ezkl"] else "–",
        _within(verify_ms, goals and goals["verify_ms"], "ms"),
        _within(row["proof_bytes"] / 1e3, goals and goals["proof_bytes"] / 1e3, "kB"),
        f"{row['link_bytes'] / 1e3:.0f} kB",
        _beyond(peak > allowed, f"{peak:.0f} MB"),
        f"{row['load_peak_mb']:.0f} MB",
        _beyond(bits["default"] < BITS, f"{bits['default']:.1f} ({bits['conservative']:.1f})"),
        human(row["compile_s"]),
    ]


def verdict(row: dict[str, Any]) -> str:
    """How the median compares with what was planned."""
    took, goals = row["prove_s"]["median"] * 1e3, row["goals"]
    if goals is None:
        return "–"
    if took > goals["plan_ms"]:
        return f"**{ratio(took, goals['plan_ms'])} plan**"
    return "stretch" if took <= goals["stretch_ms"] else "plan"


def _refusals(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"- **{row['model']}** is not proven: `{row['refused']['reason']}`. "
        f"{row['refused']['message']}"
        for row in rows
        if "refused" in row
    ]
    return "\n".join(lines)


def _phases(rows: list[dict[str, Any]]) -> str:
    head = (
        *("model", *PHASES, "together", "by the clock", "execute alone", "as ordered"),
        *("verify", "verify by the clock"),
    )
    cells = [
        [
            row["model"],
            *(_digits(row["phases_s"][phase] * 1e3) for phase in PHASES),
            _digits(row["processor_s"] * 1e3),
            *(_digits(row[name]["median"] * 1e3) for name in ("prove_s", "witness_s", "order_s")),
            _digits(row["verify_processor_s"] * 1e3),
            _digits(row["verify_s"]["median"] * 1e3),
        ]
        for row in rows
    ]
    return "\n\n".join(
        [
            "Where the time goes, in milliseconds. The phases, their sum and the first figure of "
            "verifying are processor time of all threads, which other work on the machine "
            "lengthens little; medians of each.",
            table(head, cells, left=1),
            "`quantise` makes integers of the input, `execute` runs the model, `epoch` takes an "
            "opening of the key (and makes an epoch where none is left), `commit` commits to "
            "what it computed, `look up` looks it up in tables, `reduce` brings all layers down to "
            "evaluations, `relate` proves what was sent under pads, and `open` shows what is left "
            "of it against the commitments. `as ordered` is the path of a paid job: the model is "
            "run before the proof too, since the statement holds its outputs.",
        ]
    )


def _accuracy(rows: list[dict[str, Any]]) -> str:
    head = ("model", "largest error", "of the largest output", "agreement")
    cells = [
        [
            row["model"],
            f"{row['max_error']:.2g}",
            f"{row['relative_error']:.2%}",
            f"{row['agreement']:.1%}",
        ]
        for row in rows
    ]
    return "\n\n".join(
        [
            "Against the float model, on the inputs that were proven. Agreement is the share of "
            "equal answers, one for each row of an output; weights outside of the zoo are random, "
            "and their answers close.",
            table(head, cells, left=1),
        ]
    )


def _throughput(rows: list[dict[str, Any]]) -> str:
    counted = [row for row in rows if row["throughput"]]
    if not counted:
        return ""
    cells = [
        [
            row["model"],
            f"{row['throughput']['one_per_s']:,.0f}",
            f"{row['throughput']['all_per_s']:,.0f}",
            str(row["throughput"]["threads"]),
        ]
        for row in counted
    ]
    head = ("model", "proofs/s, one thread", "proofs/s, all threads", "threads")
    return "Proofs a second in one process:\n\n" + table(head, cells, left=1)


def _peers(rows: list[dict[str, Any]]) -> str:
    cells = [
        [
            row["model"],
            f"{_digits(row['prove_s']['median'] * 1e3)} ms",
            *(said or "–" for said in PEERS[row["model"]]),
        ]
        for row in rows
        if row["model"] in PEERS
    ]
    if not cells:
        return ""
    return "\n\n".join(
        [
            "What others take, for reading beside it; none of it was measured in this run:",
            table(("model", "native", "JOLT Atlas", "DeepProve", "ezkl"), cells, left=1),
            "¹ Measured by us on an earlier day on a two-core machine of this class; JOLT Atlas "
            "in its state of August 2026, which does not commit to the weights. "
            "² Published by its authors (JOLT Atlas on an Apple M3). "
            "³ Published by its authors in July 2025, for a dense net of 4M weights and a CNN of "
            "264k, on an AMD EPYC 7B12.",
        ]
    )


def _within(value: float, goal: float | None, unit: str) -> str:
    """A value behind which its goal stands, if it has one."""
    told = f"{_digits(value)} {unit}"
    if goal is None:
        return told
    return f"{_beyond(value > goal, told)} / {goal:g}"


def _beyond(beyond: bool, text: str) -> str:
    return f"**{text}**" if beyond else text


def _spread(spread: dict[str, float]) -> str:
    median, low, high = (_digits(spread[name] * 1e3) for name in ("median", "low", "high"))
    return f"{median} ms ({low}–{high})"


def _digits(value: float) -> str:
    """With two decimals below 10, one below 100, none above."""
    decimals = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{decimals}f}"
