"""What is applied to scores: the post-transforms of classical machine learning."""

from inferproof.models.classical.expansion import Attributes, text
from inferproof.models.expansion import Expansion
from inferproof.models.show import shown

_PLAIN = {"NONE": None, "LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}
"""What is applied to scores, by its name there."""


def activated(made: Expansion, scores: str, given: Attributes, output: str) -> None:
    name = text(made, given, "post_transform", "NONE")
    if name not in _PLAIN:
        raise made.refused(f"its post_transform {shown(name)} is not one of {', '.join(_PLAIN)}")
    op = _PLAIN[name]
    more = {"axis": 1} if op == "Softmax" else {}
    made.node(op or "Identity", [scores], output, **more)
