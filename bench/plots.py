"""The plots of RESULTS.md, drawn from results.json."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes

from bench.peer_report import beside

DPI = 110
OURS, PLAIN = "#1f6f8b", "#c8a25a"
COLOURS = {"inferproof": OURS, "ezkl": PLAIN}
LABELS = {"inferproof": "inferproof", "ezkl": "plain ezkl"}
BAR = 0.36
GROUPS = {
    "offer": ("offer",),
    "settle and queue": ("settle and queue",),
    "prove": ("load", "preprocess", "prove"),
    "verify, store": ("verify", "store"),
    "fetch receipt": ("fetch",),
    "buyer signs and verifies": ("buyer",),
}
SIDES = (("left", (6, -3)), ("right", (-6, -3)), ("center", (0, 6)), ("center", (0, -12)))
"""Where the name of a point stands: alignment, and offset in points."""
GROUP_COLOURS = ("#8aa7b5", "#d98c5f", OURS, "#6b8f5a", "#b7b7b7", "#8c6bb1")


def draw(results: dict[str, Any], folder: Path) -> None:
    """Writes prove.png, memory.png and latency.png, and the native prover's where measured."""
    folder.mkdir(parents=True, exist_ok=True)
    _style()
    _prove(results["models"], folder / "prove.png")
    _memory(results["models"], folder / "memory.png")
    _latency(results["gateway"], folder / "latency.png")
    if "native" in results:
        draw_native(results["native"], folder, results.get("peers"))


def draw_native(native: dict[str, Any], folder: Path, peers: dict[str, Any] | None = None) -> None:
    """Writes native.png and native_phases.png, unless no model was proven."""
    done = [row for row in beside(native["rows"], peers) if "refused" not in row]
    if done:
        _style()
        _native(done, folder / "native.png")
        _native_phases(done, folder / "native_phases.png")


def _style() -> None:
    mpl.use("Agg")
    mpl.rcParams.update(
        {
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.grid": True,
            "grid.color": "#e6e6e6",
            "figure.constrained_layout.use": True,
        }
    )


def _prove(models: list[dict[str, Any]], path: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(8, 1.2 + 0.75 * len(models)))
    for peer, ys in _rows(len(models)).items():
        spreads = [model[peer]["prove_s"] for model in models]
        medians = [s["median"] for s in spreads]
        whiskers = [
            [s["median"] - s["low"] for s in spreads],
            [s["high"] - s["median"] for s in spreads],
        ]
        axes.barh(
            ys,
            medians,
            BAR,
            xerr=whiskers,
            color=COLOURS[peer],
            label=LABELS[peer],
            error_kw={"elinewidth": 1, "capsize": 2},
        )
        for model, s, y in zip(models, spreads, ys, strict=True):
            ratio = s["median"] / model["inferproof"]["prove_s"]["median"]
            more = f"  ({ratio:.1f} ×)" if peer == "ezkl" else ""
            _label(axes, s["high"], y, f"{s['median']:.2f} s{more}")
    _name_models(axes, models)
    axes.set_xlabel("seconds for one proof, witness included (median; whiskers: range of rounds)")
    _save(figure, path)


def _memory(models: list[dict[str, Any]], path: Path) -> None:
    figure, (left, right) = pyplot.subplots(
        1, 2, sharey=True, figsize=(10, 1.2 + 0.75 * len(models))
    )
    for axes, name, unit in ((left, "prove_peak_mb", 1.0), (right, "key_bytes", 1e-6)):
        for peer, ys in _rows(len(models)).items():
            values = [model[peer][name] * unit for model in models]
            axes.barh(ys, values, BAR, color=COLOURS[peer], label=LABELS[peer])
            for value, y in zip(values, ys, strict=True):
                _label(axes, value, y, f"{value:,.0f} MB")
    _name_models(left, models)
    right.grid(axis="y", visible=False)
    left.set_xlabel("peak memory of proving, MB")
    right.set_xlabel("proving and verifying key, MB")
    right.margins(x=0.2)
    _save(figure, path)


def _latency(scenarios: list[dict[str, Any]], path: Path) -> None:
    done = [s for s in scenarios if s["latency_s"]]
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(8.5, 7), height_ratios=(3, 2))
    for scenario in done:
        samples = sorted(scenario["samples_s"])
        shares = [0.0, *(100 * (i + 1) / len(samples) for i in range(len(samples)))]
        samples.insert(0, samples[0])
        upper.step(
            samples,
            shares,
            where="post",
            color=PLAIN if scenario["proving"] == "none" else OURS,
            linestyle="-" if scenario["concurrency"] == 1 else "--",
            label=_title(scenario),
        )
    upper.set_xscale("log")
    upper.set_ylim(0, 103)
    upper.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    upper.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(_clock))
    upper.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    upper.set_xlabel("time of a complete paid call (logarithmic)")
    upper.set_ylabel("calls answered by then, %")
    upper.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    single = [s for s in done if s["concurrency"] == 1][::-1]  # the first one on top
    names = [_title(s) for s in single]
    start = [0.0] * len(single)
    for (group, stages), colour in zip(GROUPS.items(), GROUP_COLOURS, strict=True):
        widths = [1e3 * sum(s["stages_s"][stage] for stage in stages) for s in single]
        lower.barh(names, widths, 0.5, left=start, color=colour, label=group)
        start = [a + b for a, b in zip(start, widths, strict=True)]
    for y, total in enumerate(start):
        _label(lower, total, y, f"{total:,.0f} ms")
    lower.margins(x=0.12)
    lower.grid(axis="y", visible=False)
    lower.set_xlabel("milliseconds, medians by stage")
    lower.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.25))
    _save(figure, path)


def _native(rows: list[dict[str, Any]], path: Path) -> None:
    figure, both = pyplot.subplots(1, 2, sharey=True, figsize=(11, 5.5))
    times = [row["prove_s"]["median"] for row in rows]
    for axes, name in zip(both, ("parameters", "accumulators"), strict=True):
        sizes = [row[name] for row in rows]
        axes.scatter(sizes, times, color=OURS, zorder=3, label="native")
        for place, (row, size, took) in enumerate(zip(rows, sizes, times, strict=True)):
            if row["goals"] is not None:
                axes.scatter(
                    size, row["goals"]["plan_ms"] / 1e3, marker="_", s=120, color="#d98c5f"
                )
            if row["ezkl"]:
                beside = row["ezkl"]["prove_s"]["median"]
                axes.scatter(size, beside, marker="s", s=22, color=PLAIN)
            # Names to all sides by turns: neighbours in the list are often neighbours here.
            side, at = SIDES[place % len(SIDES)]
            axes.annotate(
                row["model"],
                (size, took),
                xytext=at,
                textcoords="offset points",
                fontsize=7,
                ha=side,
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(_clock))
        axes.set_xlabel(f"{name} (logarithmic)")
        axes.margins(x=0.2, y=0.08)
    left, right = both
    left.set_ylabel("time for one proof, witness included (logarithmic)")
    left.scatter([], [], marker="_", s=120, color="#d98c5f", label="plan")
    left.scatter([], [], marker="s", s=22, color=PLAIN, label="ezkl")
    left.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3)
    right.tick_params(axis="y", length=0)
    _save(figure, path)


def _native_phases(rows: list[dict[str, Any]], path: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(8.5, 1.4 + 0.4 * len(rows)))
    names = [row["model"] for row in rows][::-1]
    start = [0.0] * len(rows)
    for phase, colour in zip(rows[0]["phases_s"], GROUP_COLOURS, strict=False):
        shares = [100 * row["phases_s"][phase] / row["processor_s"] for row in rows][::-1]
        axes.barh(names, shares, 0.6, left=start, color=colour, label=phase)
        start = [a + b for a, b in zip(start, shares, strict=True)]
    for y, (row, end) in enumerate(zip(rows[::-1], start, strict=True)):
        _label(axes, end, y, f"{1e3 * row['processor_s']:,.1f} ms")
    axes.margins(x=0.14)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("share of the processor time of one proof, %")
    axes.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0))
    _save(figure, path)


def draw_shapes(
    points: dict[str, list[tuple[int, float]]],
    lines: dict[str, list[tuple[int, float]]],
    goal: float,
    path: Path,
) -> None:
    """Time against weights: of each family its shapes, and the line of its nets of powers of two
    with what `goal` times that is."""
    _style()
    figure, axes = pyplot.subplots(figsize=(8.5, 5.5))
    for (family, shapes), colour in zip(points.items(), (OURS, "#d98c5f", "#6b8f5a"), strict=True):
        line = lines[family]
        if line:
            weights, times = zip(*line, strict=True)
            axes.plot(weights, times, color=colour, linewidth=1, marker="_", label=f"{family}, 2^n")
            above = [goal * each for each in times]
            axes.fill_between(weights, times, above, color=colour, alpha=0.12, linewidth=0)
        axes.scatter(*zip(*shapes, strict=True) if shapes else ((), ()), s=20, color=colour)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(_clock))
    axes.set_xlabel("weights (logarithmic)")
    axes.set_ylabel(f"processor time of one private proof (bands: up to {goal:g} ×)")
    axes.legend(frameon=False, loc="upper left")
    _save(figure, path)


def _rows(count: int) -> dict[str, list[float]]:
    """Where the bars of each peer stand; the first model on top, ours above the peer's."""
    return {
        peer: [-i + side * BAR / 2 for i in range(count)]
        for peer, side in (("inferproof", 1), ("ezkl", -1))
    }


def _name_models(axes: Axes, models: list[dict[str, Any]]) -> None:
    axes.set_yticks([-i for i in range(len(models))], [model["model"] for model in models])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.2)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2)


def _label(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)


def _title(scenario: dict[str, Any]) -> str:
    proof = "without proof" if scenario["proving"] == "none" else f"{scenario['proving']} proof"
    return f"{proof}, {scenario['concurrency']} at once"


def _clock(seconds: float, _place: int) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1e3:g} ms"


def _save(figure: Any, path: Path) -> None:
    # No date and version in the file: the same results give the same bytes.
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    pyplot.close(figure)
