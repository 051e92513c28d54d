"""Provable bits of a proof, added up from specs/private-mode.md, section 7.

Probabilities are kept as log2.
"""

from math import log2

from reference.hiding.soundness import first_code, opening
from reference.private.relation import variables_of
from reference.private.verifier import PrivateKey


def _lookups(key: PrivateKey) -> dict[str, int]:
    argument = key.argument
    rows, entries = argument.rows, argument.entries
    taken = sum(1 << variables for variables in entries.variables)
    layers = argument.layers
    return {
        "lookups: random fingerprints": (1 << rows.height) + taken,
        "lookups: sumchecks of the layers": layers**2,
        "lookups: batching of the layers": 3 * layers,
        "lookups: branches of the layers": layers,
    }


def _reduction(key: PrivateKey) -> int:
    tensors = len(key.graph.inputs) + len(key.graph.nodes)
    return key.degrees + 64 * tensors + tensors * (key.claims - len(key.plan.tables) + tensors)


def terms(key: PrivateKey) -> dict[str, float]:
    """log2 of each term."""
    variables = variables_of(key.products)
    claims = key.claims + len(key.graph.weights)
    outer = _lookups(key) | {
        "reduction: points, sumchecks and batching": _reduction(key),
        "relation: weights of the equations": variables,
        "relation: masks": 1,
        "relation: sumcheck": 3 * variables,
        "batching of equations and claims": key.equations + 3 + claims + 1,
    }
    code = first_code(key.shape)
    found = {name: code.chance(count) for name, count in outer.items()}
    if key.pin:
        found["weights: pin"] = code.pair(log2(key.shape.vectors[1].variables))
    return found | {f"opening: {name}": error for name, error in opening(key.shape).items()}


def bits(key: PrivateKey) -> float:
    """Those of all terms together."""
    return -log2(sum(2.0**error for error in terms(key).values()))
