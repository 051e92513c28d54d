"""The picture of the corpus: what a proof costs over a plain run, by family."""

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot

COLOUR = "#1f6f8b"


def draw(overheads: dict[str, list[float]], path: Path) -> None:
    """Writes a picture of one point for each model, in a row for each family, and its median."""
    mpl.use("Agg")
    names = list(reversed(overheads))
    figure, axes = pyplot.subplots(figsize=(8.5, 1.2 + 0.42 * len(names)), layout="constrained")
    axes.boxplot(
        [overheads[name] for name in names],
        orientation="horizontal",
        widths=0.6,
        showfliers=False,
        medianprops={"color": COLOUR, "linewidth": 2},
    )
    for place, name in enumerate(names, 1):
        axes.plot(overheads[name], [place] * len(overheads[name]), "o", color=COLOUR, alpha=0.4)
    axes.set_yticks(range(1, len(names) + 1), names)
    axes.set_xscale("log")
    axes.set_xlabel("time of a proof over that of a plain run by ONNX Runtime on one thread")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e6e6e6")
    axes.set_axisbelow(True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
