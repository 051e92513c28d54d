"""Trains the fraud model: `python -m zoo.fraud.train [--out DIR]`.

18 facts → 32 → 16 → 2 logits: legitimate, fraud.
"""

from pathlib import Path
from typing import Any

from zoo.build import Row, build, main
from zoo.training import Recipe

FOLDER = Path(__file__).parent
RECIPE = Recipe(
    widths=(32, 16), epochs=150, rate=0.02, decay=0.003, seed=20260303, input_dropout=0.1
)


def train(out: Path) -> dict[str, Any]:
    """Writes the model and its files to a folder; returns the metrics."""
    return build(FOLDER, out, "transfers.csv", RECIPE, facts)


def facts(row: Row) -> dict[str, float]:
    """The raw input that a row of the data holds."""
    return {name: float(row[name]) for name in row if name not in ("split", "label")}


if __name__ == "__main__":
    main(train, FOLDER)
