"""Retrains the three models of the zoo: `python -m zoo.train_all [--out DIR]`.

With `--out`, the files go to DIR/<model>, and the shipped ones stay as they are.
"""

import argparse
from pathlib import Path

import zoo.fraud.train
import zoo.sentiment.train
import zoo.token_risk.train

ZOO = Path(__file__).parent
MODELS = {
    "sentiment": zoo.sentiment.train.train,
    "token_risk": zoo.token_risk.train.train,
    "fraud": zoo.fraud.train.train,
}


def run() -> None:
    """Trains each model and prints its held-out metrics."""
    parser = argparse.ArgumentParser(description="Retrain the models of the zoo.")
    parser.add_argument("--out", type=Path, default=ZOO, help="folder of the three folders")
    out = parser.parse_args().out
    for name, train in MODELS.items():
        metrics = train(out / name)
        print(name, metrics["test"]["accuracy"], metrics["model_sha256"])


if __name__ == "__main__":
    run()
