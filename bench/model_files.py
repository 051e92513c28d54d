"""Writes the files that `measure_private` reads, from the models of the benchmark.

    python -m bench.model_files FOLDER [MODEL...]

For each model whose name begins with one of the given, or for all, it writes into FOLDER
NAME.graph (the integer graph as encoded), NAME.weights (the matrices one after another, one byte a
weight), NAME.parameters (little-endian words) and NAME.inputs (fresh inputs, each one's tensors one
after another, little-endian words). Then, in native/:

    cargo run --release -p inferproof-prover --example measure_private -- FOLDER/NAME
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.measure import run_json, say
from bench.native_models import (
    NativeModel,
    depthwise_cnn,
    lenet,
    minilm,
    nanogpt,
    native_dense,
    transformer,
)
from bench.native_prove import read, split
from inferproof.proving.artifact import open_artifact
from inferproof.proving.sumcheck.check import VERSION, flat_inputs, read_facts
from inferproof.proving.sumcheck.loaded import NAME, PARAMETERS, WEIGHTS

SAMPLES = 12
"""Inputs in a file, at most."""

"""Of the key that is compiled on the way: the files are the same in each."""

MODELS: Mapping[str, Callable[[Path], NativeModel]] = {
    "mlp": lambda work: native_dense((784, 128, 10), work),
    "lenet-5": lenet,
    "depthwise-cnn": depthwise_cnn,
    "transformer-64x64": transformer,
    "nanogpt-4x64": nanogpt,
    "minilm": lambda work: minilm(60, work),
}


def main(arguments: list[str]) -> None:
    """Writes the files of the models that the arguments name."""
    folder, *named = arguments
    chosen = {name for name in MODELS if not named or any(map(name.startswith, named))}
    unknown = [given for given in named if not any(name.startswith(given) for name in MODELS)]
    if unknown:
        raise SystemExit(f"no such model: {', '.join(unknown)}; there are {', '.join(MODELS)}")
    for name, make in MODELS.items():
        if name in chosen:
            with TemporaryDirectory() as work:
                write(make(Path(work)), Path(work), Path(folder) / name)


def write(model: NativeModel, work: Path, prefix: Path) -> None:
    """Compiles a model and writes its four files, named `prefix` and a suffix each."""
    say(f"{prefix.name}: compiling")
    compiled = work / "compiled"
    given = tuple(map(str, (model.files.model, model.files.calibration, compiled)))
    report = run_json([sys.executable, "-m", "bench.native_prove", "--compile", *given]).answer
    if "refused" in report:
        raise SystemExit(f"{prefix.name}: {report['refused']['message']}")
    artifact = open_artifact(compiled, NAME, VERSION)
    facts = read_facts(artifact.bundle)
    samples = split(read(model.fresh))[:SAMPLES]
    inputs = [np.concatenate(flat_inputs(facts.settings, sample)) for sample in samples]
    prefix.parent.mkdir(parents=True, exist_ok=True)
    for suffix, data in (
        ("graph", facts.key.graph()),
        ("weights", artifact.file(WEIGHTS).read_bytes()),
        ("parameters", artifact.file(PARAMETERS).read_bytes()),
        ("inputs", np.concatenate(inputs).astype("<i4").tobytes()),
    ):
        prefix.with_name(f"{prefix.name}.{suffix}").write_bytes(data)
    say(f"{prefix.name}: written")


if __name__ == "__main__":
    main(sys.argv[1:])
