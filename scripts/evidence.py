"""Takes the evidence that private proofs show nothing but their statement, and writes it down.

    python scripts/evidence.py            runs all of it, for some minutes, and writes the file
    python scripts/evidence.py --check    exits with 1 where the file is of other sources

The file is written where every test of every part has passed, and not otherwise. There is no date
in it, and all that is random in the statistics is drawn from numbers of their own: another run of
the same sources writes the same bytes. EVIDENCE_RUN=1 (2, 3, …) draws other samples, and
EVIDENCE_PROOFS=600 tries the script with fewer proofs than a build takes for evidence.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import native

ROOT = native.ROOT
FILE = native.ROOM / "evidence.json"
FORMAT = 1
BOUND = 1e-6
"""A sound build fails one of the statistics with less."""

PROVER = ("--package", "inferproof-prover", "--test")
WHOLE = (*PROVER, "private_evidence", "--")
LONG = (*WHOLE, "--ignored")
APART = "cannot_be_told_apart_by_ten_thousand_proofs_with"
PARTS: dict[str, tuple[str, ...]] = {
    "simulated proofs, native verifier": (
        *WHOLE,
        "simulator::simulated_keys",
        "simulator::simulated_proofs_are",
        "simulator::simulated_proofs_of_false",
    ),
    "simulated proofs of private inputs, native verifier": (
        *WHOLE,
        "simulator::simulated_attempts",
        "simulator::simulated_proofs_are",
        "simulator::simulated_proofs_of_false",
    ),
    "simulated proofs of ranges, native verifier": (
        *WHOLE,
        "simulator::simulated_proofs_are",
        "simulator::simulated_proofs_of_a_keys_ranges",
    ),
    "distinguisher, own challenges": (*LONG, f"classes_{APART}_own"),
    "distinguisher, frozen challenges": (*LONG, f"classes_{APART}_frozen"),
    "controls of the distinguisher": (*WHOLE, "distinguisher::control_without"),
    "distinguisher, private inputs, own challenges": (*LONG, f"private_inputs_{APART}_own"),
    "distinguisher, private inputs, frozen challenges": (*LONG, f"private_inputs_{APART}_frozen"),
    "controls of the distinguisher, private inputs": (
        *WHOLE,
        "distinguisher::control_of_private_inputs",
    ),
    "ranks of whole proofs": (*LONG, "rank::control_whole_proofs"),
    "ranks of whole proofs, private inputs": (*LONG, "rank::control_private_inputs"),
    "ranks of whole proofs, ranges of a key": (*LONG, "rank::control_ranges"),
    "ranks of openings": ("--package", "inferproof-hiding", "--lib", "--", "tests::rank", "salts"),
    "ranks of the relation proof": ("--package", "inferproof-relation", "--lib", "--", "uniform"),
    "attack by interpolation": (*PROVER, "proofs", "--", "private_interpolation::"),
    "frozen challenges, words": (*PROVER, "proofs", "--", "private_frozen::"),
}
"""Parts of the evidence, with the tests of the Rust crates that they are."""
PYTHON = {
    "simulated proofs, second verifier": "tests/unit/proving/test_private_simulated.py",
    "simulated proofs of private inputs, second verifier": (
        "tests/unit/proving/test_private_simulated_inputs.py"
    ),
    "simulated proofs of ranges, second verifier": (
        "tests/unit/proving/test_private_simulated_ranges.py"
    ),
}
"""The same of the tests in Python."""
_PASSED = re.compile(r"^test (\S+) \.\.\. ok$", re.MULTILINE)


class Failed(Exception):
    """A part that did not pass; its output is the text."""


def main(arguments: list[str]) -> int:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    sources = native.examined()
    if options.check:
        return _check(sources)
    if shutil.which("cargo") is None:
        native.say(native.HOW)
        return 1
    try:
        evidence = take(sources)
    except Failed as failed:
        print(failed, file=sys.stderr)
        native.say("a part has failed; the file is as it was")
        return 1
    if native.examined() != sources:
        native.say("the sources have changed meanwhile; the file is as it was")
        return 1
    FILE.write_text(json.dumps(evidence, indent=1, sort_keys=True) + "\n")
    native.say(f"{FILE.relative_to(ROOT)} is written")
    return 0


def _check(sources: str) -> int:
    found = json.loads(FILE.read_text()) if FILE.is_file() else {}
    if found.get("sources") == sources:
        return 0
    native.say(f"{FILE.relative_to(ROOT)} is missing or of other sources: make evidence")
    return 1


def take(sources: str) -> dict[str, Any]:
    """All of the evidence, of the variant of the native module for this machine. Raises: Failed."""
    variant = native.environment(native.best_variant())
    passed: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as room:
        for part, what in PARTS.items():
            native.say(part)
            command = ["cargo", "test", "--release", "--locked", *what]
            output = _run(command, native.NATIVE, variant | {"EVIDENCE": room})
            passed[part] = sorted(set(_PASSED.findall(output)))
        for part, path in PYTHON.items():
            native.say(part)
            output = _run(
                [sys.executable, "-m", "pytest", "-v", path],
                ROOT,
                dict(os.environ),
            )
            passed[part] = sorted(set(re.findall(r"::(\S+) PASSED", output)))
        for part, tests in passed.items():
            if not tests:
                raise Failed(f"{part}: no test has run")
        figures = {path.stem: json.loads(path.read_text()) for path in Path(room).glob("*.json")}
    return {
        "format": FORMAT,
        "sources": sources,
        "crates": list(native.EXAMINED),
        "probability that a sound build fails": BOUND,
        "passed": passed,
        "figures": figures,
    }


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """The output of a command that succeeds. Raises: Failed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode != 0:
        raise Failed(done.stdout)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
