"""Trains the token risk model: `python -m zoo.token_risk.train [--out DIR]`.

16 facts → 32 → 16 → 3 logits: low, medium, high.
"""

from pathlib import Path
from typing import Any

from zoo.build import Row, build, main
from zoo.training import Recipe

FOLDER = Path(__file__).parent
RECIPE = Recipe(widths=(32, 16), epochs=150, rate=0.02, decay=0.01, seed=20260202)


def train(out: Path) -> dict[str, Any]:
    """Writes the model and its files to a folder; returns the metrics."""
    return build(FOLDER, out, "tokens.csv", RECIPE, facts)


def facts(row: Row) -> dict[str, float]:
    """The raw input that a row of the data holds."""
    return {name: float(row[name]) for name in row if name not in ("split", "label")}


if __name__ == "__main__":
    main(train, FOLDER)
