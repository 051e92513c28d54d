"""`python -m reference [FILE…]`: verifies vectors, all of vectors/private by default."""

import sys
import time
from pathlib import Path

from inferproof.second_verifier.reader import Rejected
from reference.changes import decoded
from reference.vectors import files, load


def main() -> int:
    """0 when every proof is accepted."""
    rejected = 0
    for path in [Path(name) for name in sys.argv[1:]] or files():
        vector, start = load(path), time.perf_counter()
        try:
            key = decoded(vector.key)
            key.verify(vector.inputs, vector.outputs, vector.statement, vector.proof)
            verdict = "accepted"
        except Rejected as rejection:
            verdict, rejected = f"rejected: {rejection}", 1
        print(f"{vector.name}: {verdict} ({time.perf_counter() - start:.2f} s)")
    return rejected


sys.exit(main())
