"""Labels in texts: the class numbers that ONNX Runtime would have named, and their names."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from forests import forest
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from inferproof.errors import ModelRejected, Reason
from inferproof.inference.session import Session
from inferproof.models.card import CardOutput
from inferproof.models.labels import labelled, with_labels
from inferproof.models.load import from_head, to_head
from inferproof.models.loaded import LoadedModel
from inferproof.models.parse import parse_untrusted
from inferproof.testing.rejections import rejects
from inferproof.types.tensor import TensorSpec

ML = "ai.onnx.ml"
NAMES = ["fine", "odd", "bétrug"]
TEXT, INT, FLOAT = TensorProto.STRING, TensorProto.INT64, TensorProto.FLOAT
ZIPPED = 0
"""The type of the output of ZipMap: a sequence of dictionaries."""
RNG = np.random.default_rng(3)
SCORES: dict[str, Any] = {
    "coefficients": RNG.standard_normal(15).tolist(),
    "intercepts": RNG.standard_normal(3).tolist(),
    "multi_class": 1,
    "post_transform": "SOFTMAX",
}
ARG_MAX = helper.make_node("ArgMax", ["x"], ["best"], axis=1, keepdims=0)


def model(
    nodes: list[NodeProto], outputs: dict[str, int], constants: dict[str, Any] | None = None
) -> ModelProto:
    """The nodes on x[1, 5]."""
    tensors = [
        numpy_helper.from_array(np.array(value, dtype=object if kind is str else "<i8"), name)
        for name, value in (constants or {}).items()
        for kind in (type(np.array(value).reshape(-1)[0].item()),)
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", FLOAT, [None, 5])],
        [output(name, kind) for name, kind in outputs.items()],
        tensors,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(ML, 2)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def output(name: str, kind: int) -> ValueInfoProto:
    if kind != ZIPPED:
        return helper.make_tensor_value_info(name, kind, None)
    number = helper.make_tensor_type_proto(FLOAT, [])
    made = helper.make_map_type_proto(TEXT, number)
    return helper.make_value_info(name, helper.make_sequence_type_proto(made))


def ml(op: str, read: list[str], made: list[str], **attributes: Any) -> NodeProto:
    return helper.make_node(op, read, made, domain=ML, **attributes)


def same(made: ModelProto) -> LoadedModel:
    """Asserts that the named numbers are the texts of ONNX Runtime; what intake made."""
    theirs = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    loaded = parse_untrusted(made.SerializeToString())
    ours = Session(loaded)
    for row in RNG.standard_normal((24, 1, 5)).astype("f4"):
        got = ours.run({"x": row})
        for spec, expected in zip(loaded.outputs, theirs.run(None, {"x": row}), strict=True):
            if isinstance(expected, list):
                named = dict(zip(spec.labels, got[spec.name][0].tolist(), strict=True))
                assert named == pytest.approx(expected[0], rel=1e-5, abs=1e-6)
            elif expected.dtype == object:
                assert got[spec.name].shape == expected.shape
                assert spec.labels
                texts = [spec.labels[number] for number in got[spec.name].ravel()]
                assert texts == expected.ravel().tolist()
            else:
                np.testing.assert_allclose(got[spec.name], expected, rtol=1e-5, atol=1e-6)
    return loaded


def test_a_classifier_as_skl2onnx_writes_it() -> None:
    loaded = same(
        model(
            [
                ml("LinearClassifier", ["x"], ["c", "p"], classlabels_strings=NAMES, **SCORES),
                helper.make_node("Identity", ["c"], ["label"]),
                ml("ZipMap", ["p"], ["zipped"], classlabels_strings=NAMES),
            ],
            {"label": TEXT, "zipped": ZIPPED},
        )
    )
    assert [spec.labels for spec in loaded.outputs] == [tuple(NAMES)] * 2
    assert [spec.dtype for spec in loaded.outputs] == ["int64", "float32"]


@pytest.mark.parametrize("names", [NAMES, ["no", "yes"]])
def test_trees(names: list[str]) -> None:
    (node,) = forest("TreeEnsembleClassifier", columns=len(names)).graph.node
    for place in reversed(range(len(node.attribute))):
        if node.attribute[place].name == "classlabels_int64s":
            del node.attribute[place]
    node.attribute.append(helper.make_attribute("classlabels_strings", names))
    loaded = same(model([node], {"label": TEXT, "y": FLOAT}))
    assert [spec.labels for spec in loaded.outputs] == [tuple(names)] * 2


def test_two_classes_of_one_score() -> None:
    given = {"coefficients": SCORES["coefficients"][:5], "intercepts": [0.25]}
    node = ml("LinearClassifier", ["x"], ["c", "p"], classlabels_strings=["no", "yes"], **given)
    same(model([node], {"c": TEXT, "p": FLOAT}))


def test_labels_are_picked_from_texts() -> None:
    loaded = same(
        model(
            [
                ARG_MAX,
                ml("ArrayFeatureExtractor", ["names", "best"], ["picked"]),
                helper.make_node("Cast", ["picked"], ["text"], to=TEXT),
                helper.make_node("Reshape", ["text", "flat"], ["label"]),
                helper.make_node("Gather", ["names", "best"], ["other"]),
            ],
            {"label": TEXT, "other": TEXT},
            {"names": [*NAMES, "d", "e"], "flat": [-1]},
        )
    )
    assert loaded.outputs[0].labels == (*NAMES, "d", "e")
    assert loaded.outputs[0].shape == (1,)


@pytest.mark.parametrize("keys", [[0, 1, 2, 3, 4], [4, 0, 2], [7, 1]])
def test_a_label_encoder_names_numbers(keys: list[int]) -> None:
    values = [f"class {key}" for key in keys]
    encoder = ml(
        *("LabelEncoder", ["best"], ["label"]),
        keys_int64s=keys,
        values_strings=values,
        default_string="none of them",
    )
    loaded = same(model([ARG_MAX, encoder], {"label": TEXT}))
    assert loaded.outputs[0].labels == (*values, "none of them")


def test_whole_numbers_name_columns_that_they_do_not_number() -> None:
    for classes, names in (([3, 5, 9], ("3", "5", "9")), ([0, 1, 2], ())):
        nodes = [
            ml("LinearClassifier", ["x"], ["c", "p"], classlabels_ints=classes, **SCORES),
            ml("ZipMap", ["p"], ["zipped"], classlabels_int64s=classes),
        ]
        loaded = parse_untrusted(model(nodes, {"c": INT, "zipped": ZIPPED}).SerializeToString())
        assert [spec.labels for spec in loaded.outputs] == [(), names]


def test_labels_are_no_part_of_the_graph() -> None:
    def of(names: list[str]) -> LoadedModel:
        node = ml("LinearClassifier", ["x"], ["c", "p"], classlabels_strings=names, **SCORES)
        return parse_untrusted(model([node], {"c": TEXT, "p": FLOAT}).SerializeToString())

    one, other = of(NAMES), of(["a", "b", "c"])
    assert (one.onnx, one.graph_digest) == (other.onnx, other.graph_digest)
    assert one.outputs != other.outputs
    assert from_head(to_head(one), one.onnx) == one


def refused(nodes: list[NodeProto], constants: dict[str, Any] | None = None) -> bytes:
    name = next(reversed(nodes)).output[0]
    return model(nodes, {name: TEXT}, constants).SerializeToString()


CLASSIFIER = ml("LinearClassifier", ["x"], ["c", "p"], classlabels_strings=NAMES, **SCORES)


def test_what_reads_labels_otherwise_is_refused() -> None:
    joined = helper.make_node("Concat", ["c", "c"], ["twice"], axis=0)
    with rejects(
        Reason.MODEL_TEXT_REFUSED,
        "operator 'Concat', which makes 'twice', reads class labels, which are texts; export the "
        "model with whole numbers as classes",
        kind=ModelRejected,
    ):
        parse_untrusted(refused([CLASSIFIER, joined]))


@pytest.mark.parametrize("name", ["", "a" * 101, "two\nlines", "turned \u202e"])
def test_labels_can_be_shown(name: str) -> None:
    node = ml("LinearClassifier", ["x"], ["c"], classlabels_strings=[name, "b", "c"], **SCORES)
    with pytest.raises(ModelRejected, match="give it labels of 1 to 100 characters"):
        parse_untrusted(refused([node]))


def test_tables_are_bounded_and_sound() -> None:
    many = [str(number) for number in range(65_537)]
    pick = [ARG_MAX, helper.make_node("Gather", ["names", "best"], ["label"])]
    with rejects(
        Reason.MODEL_TEXT_TOO_MANY,
        "operator 'Gather', which makes 'label', has a table of 65537 entries; the limit is 65536",
    ):
        parse_untrusted(refused(pick, {"names": many}))
    with pytest.raises(ModelRejected, match="at most 10000 can have names"):
        parse_untrusted(refused(pick, {"names": many[:10_001]}))
    encoder = ml("LabelEncoder", ["best"], ["label"], keys_int64s=[1, 1], values_strings=["a", "b"])
    with rejects(
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'LabelEncoder': its keys_int64s name something twice",
    ):
        parse_untrusted(refused([ARG_MAX, encoder]))
    short = model(pick, {"label": TEXT}, {"names": NAMES})
    del short.graph.initializer[0].string_data[1:]
    with pytest.raises(ModelRejected, match="are not as many as their shape says"):
        parse_untrusted(short.SerializeToString())
    node = ml("LinearClassifier", ["x"], ["c"], classlabels_strings=7)
    with pytest.raises(ModelRejected, match="its classlabels_strings are no texts"):
        parse_untrusted(refused([node]))


def test_columns_have_as_many_names_as_there_are() -> None:
    zipped = ml("ZipMap", ["x"], ["zipped"], classlabels_strings=NAMES)
    with rejects(
        Reason.MODEL_LABELS, "output 'zipped' of shape [1, 5] has 3 labels for its columns"
    ):
        parse_untrusted(model([zipped], {"zipped": ZIPPED}).SerializeToString())


def test_a_card_names_what_the_model_does_not() -> None:
    scores = TensorSpec("p", "float32", (1, 3))
    number = TensorSpec("c", "int64", (1,))
    wide = TensorSpec("w", "float32", (1, 4))
    labels = ("a", "b", "c")
    card = CardOutput("classification", labels, "score")
    named = labelled((scores, number, wide), card)
    assert [spec.labels for spec in named] == [labels, labels, ()]
    counts = labelled((scores, number), CardOutput("regression", labels, "unit"))
    assert [spec.labels for spec in counts] == [labels, ()]
    assert labelled(named, card) == named


def test_a_card_does_not_rename_what_the_model_names() -> None:
    own = TensorSpec("p", "float32", (1, 2), ("no", "yes"))
    card = CardOutput("classification", ("yes", "no"), "score")
    with rejects(
        Reason.CARD_LABELS,
        "the model itself names what is in output 'p': 'no', 'yes'; write these as the card's "
        "output.labels",
    ):
        labelled((own,), card)
    number = TensorSpec("c", "int64", (1,), ("yes", "no", "_Unused"))
    assert labelled((number,), card) == (number,)


def test_labels_given_by_name() -> None:
    made = model([CLASSIFIER], {"c": TEXT, "p": FLOAT})
    loaded = parse_untrusted(made.SerializeToString())
    again = with_labels(loaded, {"p": ("x", "y", "z")})
    assert [spec.labels for spec in again.outputs] == [tuple(NAMES), ("x", "y", "z")]
