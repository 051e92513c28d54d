"""Provable bits of a proof, added up from specs/private-mode.md, section 7.

Probabilities are kept as log2.
"""

from math import log2

from inferproof.second_verifier.hiding.soundness import FIELD, first_code, opening
from inferproof.second_verifier.private.links import KEY, LINKS, MOST_LINKS
from inferproof.second_verifier.private.ranges import range_parts
from inferproof.second_verifier.private.relation import variables_of
from inferproof.second_verifier.private.verifier import PrivateKey


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
    tensors = len(key.proven.inputs) + len(key.proven.nodes)
    return key.degrees + 64 * tensors + tensors * (key.claims - len(key.plan.tables) + tensors)


def terms(key: PrivateKey) -> dict[str, float]:
    """log2 of each term."""
    found = _proof(key, len(key.graph.weights) + len(key.graph.parameters))
    if key.pin:
        own = key.shapes[KEY]
        found["weights: pin"] = first_code(own).pair(log2(own.vectors[1].variables))
    if LINKS not in key.shapes:
        found |= _links(key, KEY, "links of keys", MOST_LINKS)
    else:
        found |= _links(key, KEY, "links of keys", MOST_LINKS - 1)
        found |= _links(key, LINKS, "link of an epoch", 1)
    return found | _ranges(key)


def _proof(key: PrivateKey, tensors: int) -> dict[str, float]:
    """log2 of each term of a proof that claims so many matrices and parameters, links apart."""
    variables = variables_of(key.products)
    claims = key.claims + tensors + len(key.plan.inputs)
    outer = _lookups(key) | {
        "reduction: points, sumchecks and batching": _reduction(key),
        "relation: weights of the equations": variables,
        "relation: masks": 1,
        "relation: sumcheck": 3 * variables,
        "batching of equations and claims": key.equations + 3 + claims + 1,
    }
    code = first_code(key.shape)
    found = {name: code.chance(count) for name, count in outer.items()}
    return found | {f"opening: {name}": error for name, error in opening(key.shape).items()}


def _ranges(key: PrivateKey) -> dict[str, float]:
    """log2 of each term of the range proof: the largest, as many times as there are parts."""
    found: dict[str, float] = {}
    parts = range_parts(key.encoded)
    for part in parts:
        own = _proof(part, len(part.proven.parameters)) | _links(part, KEY, "link", 1)
        found = {name: max(error, found.get(name, error)) for name, error in own.items()}
    return {f"ranges: {name}": error + log2(len(parts)) for name, error in found.items()}


def _links(key: PrivateKey, kind: int, name: str, count: int) -> dict[str, float]:
    """log2 of each term of so many links that open commitments of one kind."""
    shape = key.shapes[kind]
    parent = first_code(shape).candidates
    child = max(first_code(own).candidates for own in key.shapes.values())
    degree = max(key.columns) + len(key.columns)
    found = {
        "point of the weights": log2(degree) + child - FIELD,
        "value under its mask": parent + child - FIELD,
        "batching of claims": parent - FIELD,
    }
    all_terms = found | opening(shape)
    return {f"{name}: {term}": error + log2(count) for term, error in all_terms.items()}


def bits(key: PrivateKey) -> float:
    """Those of all terms together."""
    return -log2(sum(2.0**error for error in terms(key).values()))
