"""Trains the sentiment model: `python -m zoo.sentiment.train [--out DIR]`.

128 word groups → 32 → 3 logits: negative, neutral, positive.
"""

from pathlib import Path
from typing import Any

from zoo.build import build, main
from zoo.training import Recipe

FOLDER = Path(__file__).parent
RECIPE = Recipe(widths=(32,), epochs=400, rate=0.02, decay=0.002, seed=20260101, input_dropout=0.25)


def train(out: Path) -> dict[str, Any]:
    """Writes the model and its files to a folder; returns the metrics."""
    return build(FOLDER, out, "headlines.csv", RECIPE, lambda row: row["text"])


if __name__ == "__main__":
    main(train, FOLDER)
