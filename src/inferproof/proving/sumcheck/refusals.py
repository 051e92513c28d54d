"""What is said of a model for whose integer graph no key can be made."""

from collections import Counter
from collections.abc import Sequence

from inferproof.errors import InferproofError, ModelRejected, Reason, Unavailable
from inferproof.models.show import shown
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.library import graph_rejection
from inferproof.proving.sumcheck.loaded import NAME
from inferproof.proving.sumcheck.lower.program import Step

_UNSUPPORTED, _UNREAD = "KEY_UNSUPPORTED", "KEY_UNREAD"
_TOO_MUCH = ("KEY_WORK", "KEY_LOOKUPS", "KEY_COMMITMENT", "KEY_OPENINGS", "KEY_RANGES")
"""Why a graph is too large: half of its vector of weights is uniform, and results lie in one like
it."""


def refusal(error: Exception, graph: g.Graph, steps: Sequence[Step] = ()) -> InferproofError:
    """What is said of a native failure to make a key of a graph; `steps` are those of the model
    that it was made of, by which the node at fault is named."""
    code, message = error.args[:2]
    if code == "PANIC":
        return Unavailable(Reason.PROVER_FAILED, why=str(message)[:300])
    refused = graph_rejection(error)
    if refused is not None:
        return refused
    if code not in (*_TOO_MUCH, _UNSUPPORTED, _UNREAD):
        return ModelRejected(Reason.CIRCUIT_REFUSED, system=NAME, why=message)
    why = _with_node(error, graph, {step.index: step for step in steps})
    return ModelRejected(Reason.MODEL_NOT_PROVABLE, system=NAME, why=why)


def _with_node(error: Exception, graph: g.Graph, steps: dict[int, Step]) -> str:
    """The failure with the node of the model that it is about, or that takes most of the graph."""
    code, message, *told = error.args
    if code == _UNSUPPORTED and told:
        step = steps.get(graph.nodes[told[0]["node"]].step)
        if step is not None:
            takes = f"takes a {told[0]['operator']} that cannot be hidden: {told[0]['why']}"
            return f"node {shown(step.node)} ({step.op}) {takes}"
    else:
        [(index, count)] = Counter(node.step for node in graph.nodes).most_common(1)
        step = steps.get(index)
        if step is not None:
            most = f"{count} of {len(graph.nodes)} nodes of the integer graph are made for node"
            return f"{message}; {most} {shown(step.node)} ({step.op})"
    return str(message)
