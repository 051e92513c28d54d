"""Texts in front of a model: what ONNX Runtime makes of the whole file, from steps and a graph."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from inferproof.errors import InputRejected, ModelRejected, Reason
from inferproof.inference.preprocess import Preprocessing, preprocess
from inferproof.inference.session import Session
from inferproof.models.axes import Axes
from inferproof.models.load import from_head, load_model, to_head
from inferproof.models.loaded import LoadedModel
from inferproof.models.parse import parse_untrusted
from inferproof.models.texts import MOVED
from inferproof.testing.rejections import rejects

ML, MS = "ai.onnx.ml", "com.microsoft"
TEXT, INT, FLOAT = TensorProto.STRING, TensorProto.INT64, TensorProto.FLOAT
LANDS = ["de", "fr", "us"]
RNG = np.random.default_rng(11)
WORDS = ["the", "The", "token", "scam", "SCAM", "étÉ", "x1", "_a", "b-c", "7up", "!", "it's", "x"]


def ml(op: str, read: list[str], made: list[str], **attributes: Any) -> NodeProto:
    return helper.make_node(op, read, made, domain=ML, **attributes)


def node(op: str, read: list[str], made: list[str], **attributes: Any) -> NodeProto:
    return helper.make_node(op, read, made, **attributes)


def model(
    nodes: list[NodeProto],
    inputs: dict[str, list[Any]],
    constants: dict[str, Any] | None = None,
    made: int = FLOAT,
    opset: int = 17,
) -> ModelProto:
    """The nodes on text inputs, and on numbers where the name is n; the answer is y."""
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    graph = helper.make_graph(
        nodes,
        "test",
        [
            helper.make_tensor_value_info(name, FLOAT if name == "n" else TEXT, shape)
            for name, shape in inputs.items()
        ],
        [helper.make_tensor_value_info("y", made, None)],
        tensors,
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in (("", opset), (ML, 2))]
    opsets.append(helper.make_opsetid(MS, 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def same(made: ModelProto, samples: list[dict[str, Any]]) -> LoadedModel:
    """Asserts the answers of ONNX Runtime, or that both refuse; what intake made."""
    data = made.SerializeToString()
    theirs = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    loaded = parse_untrusted(data)
    assert loaded.preprocessing is not None
    steps, ours = Preprocessing.from_canonical(loaded.preprocessing), Session(loaded)
    assert steps.canonical() == loaded.preprocessing
    for raw in samples:
        arrays = {name: np.asarray(value, object) for name, value in raw.items() if name != "n"}
        if "n" in raw:
            arrays["n"] = np.asarray(raw["n"], np.float32)
        try:
            (expected,) = theirs.run(None, arrays)
        except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
            with pytest.raises(InputRejected):
                preprocess(steps, raw)
            continue
        tensors = preprocess(steps, raw)
        typed = {spec.name: tensors[spec.name].astype(spec.dtype) for spec in loaded.inputs}
        got = ours.run(typed)["y"]
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    return loaded


def columns(count: int = 2) -> list[dict[str, Any]]:
    pick = [*LANDS, "", "DE", "ü"]
    return [{"a": [[str(t) for t in RNG.choice(pick, count)]]} for _ in range(12)]


DOUBLE = node("Add", ["e", "e"], ["y"])


@pytest.mark.parametrize("zeros", [0, 1])
def test_categories_in_their_places(zeros: int) -> None:
    encoder = ml("OneHotEncoder", ["a"], ["e"], cats_strings=LANDS, zeros=zeros)
    loaded = same(model([encoder, DOUBLE], {"a": [None, 2]}), columns())
    assert [(spec.name, spec.shape) for spec in loaded.inputs] == [("e", (1, 2, 3))]
    assert loaded.nodes == 1


@pytest.mark.parametrize("default", [-1, 7])
def test_categories_as_numbers(default: int) -> None:
    encoder = ml(
        *("LabelEncoder", ["a"], ["e"]),
        keys_strings=LANDS,
        values_int64s=[4, 0, -2],
        default_int64=default,
    )
    loaded = same(model([encoder, DOUBLE], {"a": [None, 2]}, made=INT), columns())
    assert [spec.dtype for spec in loaded.inputs] == ["int64"]
    mapper = ml(
        *("CategoryMapper", ["a"], ["e"]),
        cats_strings=LANDS,
        cats_int64s=[4, 0, -2],
        default_int64=default,
    )
    again = same(model([mapper, DOUBLE], {"a": [None, 2]}, made=INT), columns())
    assert again.preprocessing == loaded.preprocessing


def test_fitted_numbers_stay_in_the_graph() -> None:
    encoder = ml(
        *("LabelEncoder", ["a"], ["e"]),
        keys_strings=LANDS,
        values_floats=[0.125, -3.5, 9.75],
        default_float=0.5,
    )
    loaded = same(model([encoder, DOUBLE], {"a": [None, 2]}), columns())
    assert loaded.parameters == 4
    assert "9.75" not in str(loaded.preprocessing)
    assert float.hex(9.75) not in str(loaded.preprocessing)


def test_texts_are_moved_renamed_and_joined() -> None:
    nodes = [
        node("Concat", ["a", "b"], ["ab"], axis=1),
        ml("LabelEncoder", ["ab"], ["r"], keys_strings=["DE", "ü"], values_strings=["de", "us"]),
        ml("ArrayFeatureExtractor", ["r", "one"], ["c"]),
        node("Gather", ["r", "two"], ["d"], axis=-1),
        node("Gather", ["ab", "last"], ["f"], axis=1),
        node("Reshape", ["f", "square"], ["g"]),
        node("Concat", ["c", "d", "g"], ["h"], axis=1),
        node("Identity", ["h"], ["i0"]),
        node("Unsqueeze", ["i0", "front"], ["i1"]),
        node("Squeeze", ["i1", "front"], ["i2"]),
        node("Cast", ["i2"], ["i"], to=TEXT),
        ml("OneHotEncoder", ["i"], ["e"], cats_strings=["de", "us", ""]),
        DOUBLE,
    ]
    constants = {
        "one": np.array(1),
        "two": np.array([0, 2]),
        "last": np.array(-1),
        "square": np.array([1, -1]),
        "front": np.array([0]),
    }
    samples = [
        one | {"b": other["a"][0][:1] and [other["a"][0][:1]]}
        for one, other in zip(columns(), columns(), strict=True)
    ]
    loaded = same(model(nodes, {"a": [None, 2], "b": [None, 1]}, constants), samples)
    assert loaded.inputs[0].shape == (1, 4, 3)


def test_numbers_go_beside_texts() -> None:
    nodes = [
        ml("OneHotEncoder", ["a"], ["e"], cats_strings=LANDS),
        node("Reshape", ["e", "flat"], ["f"]),
        node("Concat", ["f", "n"], ["y"], axis=1),
    ]
    made = model(nodes, {"a": [None, 1], "n": [None, 2]}, {"flat": np.array([1, 3])})
    loaded = same(made, [one | {"n": [[1.5, -2.0]]} for one in columns(1)])
    assert loaded.preprocessing is not None
    assert [item["type"] for item in loaded.preprocessing["inputs"]] == ["text", "number"]
    steps = Preprocessing.from_canonical(loaded.preprocessing)
    bare = preprocess(steps, {"a": "fr", "n": [[1.5, -2.0]]})
    assert bare["e"].tolist() == [[[0.0, 1.0, 0.0]]]


POOL = ["scam", "the", "x", "the", "token", "scam", "x"]
COUNT: dict[str, Any] = {
    "pool_strings": POOL,
    "ngram_counts": [0, 3],
    "ngram_indexes": [4, 0, 1, 3, 2],
    "min_gram_length": 1,
    "max_gram_length": 2,
    "max_skip_count": 0,
    "mode": "TF",
}


def sentences() -> list[dict[str, Any]]:
    return [{"a": [" ".join(RNG.choice(WORDS, RNG.integers(0, 9)))]} for _ in range(40)]


def counted(tokenizer: dict[str, Any], normal: dict[str, Any], **changes: Any) -> ModelProto:
    nodes = [
        node("StringNormalizer", ["a"], ["b"], locale="C.UTF-8", **normal),
        helper.make_node(
            *("Tokenizer", ["b"], ["c"]), domain=MS, mark=0, pad_value="#", **tokenizer
        ),
        node("Flatten", ["c"], ["d"]),
        node("TfIdfVectorizer", ["d"], ["e"], **{**COUNT, **changes}),
        DOUBLE,
    ]
    return model(nodes, {"a": [None]})


@pytest.mark.parametrize(
    "tokenizer",
    [
        {"tokenexp": "[a-zA-Z0-9_]+", "mincharnum": 1},
        {"tokenexp": "\\b\\w\\w+\\b", "mincharnum": 1},
        {"tokenexp": "[a-z]{3,}", "mincharnum": 2},
        {"tokenexp": "[^ !]+", "mincharnum": 3},
        {"tokenexp": ".", "mincharnum": 1},
        {"separators": [" "], "mincharnum": 1},
        {"separators": ["[ -]", "!"], "mincharnum": 2},
        {"separators": ["\\s"], "mincharnum": 1},
        {"separators": [""], "mincharnum": 1},
    ],
    ids=str,
)
def test_words_are_counted(tokenizer: dict[str, Any]) -> None:
    same(counted(tokenizer, {"case_change_action": "LOWER"}), sentences())


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "IDF"},
        {"mode": "IDF", "weights": [0.5, 2.0, 3.0, 4.0, 5.5]},
        {"mode": "TFIDF", "weights": [0.5, 2.0, 3.0, 4.0, 5.5]},
        {"mode": "TF", "weights": [0.5, 2.0, 3.0, 4.0, 5.5]},
        {"max_skip_count": 2},
        {"min_gram_length": 2, "max_skip_count": 1},
        {"max_gram_length": 1},
    ],
    ids=str,
)
def test_what_is_counted(changes: dict[str, Any]) -> None:
    words = {"separators": [" "], "mincharnum": 1}
    loaded = same(counted(words, {"case_change_action": "NONE"}, **changes), sentences())
    weighted = "weights" in changes and changes["mode"] != "TF"
    assert loaded.operators == ((("Add", 1), ("Mul", 1)) if weighted else (("Add", 1),))
    assert "5.5" not in str(loaded.preprocessing)


@pytest.mark.parametrize("case", ["NONE", "LOWER", "UPPER"])
@pytest.mark.parametrize("sensitive", [0, 1])
def test_case_and_stop_words(case: str, sensitive: int) -> None:
    texts = ["Scam", "THE", "the", "scam", "ÉtÉ", "été", "ß", "x"]
    normal = {"case_change_action": case, "is_case_sensitive": sensitive}
    whole = {"tokenexp": "[^ ]+", "mincharnum": 1}
    made = counted(whole, normal | {"stopwords": ["The", "été"]}, pool_strings=["SCAM", *POOL[1:]])
    same(made, [{"a": [text]} for text in texts])


def test_a_model_of_texts_travels_whole(tmp_path: Path) -> None:
    encoder = ml("OneHotEncoder", ["a"], ["e"], cats_strings=["ü", "\n", ""])
    path = tmp_path / "model.onnx"
    path.write_bytes(model([encoder, DOUBLE], {"a": [None, 1]}).SerializeToString())
    loaded = load_model(path)
    assert loaded.preprocessing is not None
    assert loaded.preprocessing["steps"][0]["known"] == ["ü", "\n", ""]
    assert from_head(to_head(loaded), loaded.onnx) == loaded


# -- what is refused ---------------------------------------------------------------------------


def refused(*nodes: NodeProto, shape: list[Any] | None = None, **constants: Any) -> str:
    made = model(list(nodes), {"a": shape or [None, 1]}, constants).SerializeToString()
    with pytest.raises(ModelRejected) as told:
        parse_untrusted(made)
    assert told.value.reason in (Reason.MODEL_TEXT_REFUSED, Reason.MODEL_INVALID)
    return told.value.message


def test_what_cannot_move_is_refused_with_a_way_out() -> None:
    equal = node("Equal", ["a", "t"], ["y"])
    with rejects(
        Reason.MODEL_TEXT_REFUSED,
        "operator 'Equal', which makes 'y', reads texts; texts can be encoded (OneHotEncoder, "
        "LabelEncoder, CategoryMapper), put in lower or upper case (StringNormalizer), and split "
        "into words that are counted (Tokenizer, TfIdfVectorizer); do what else is done with "
        "them before the model",
    ):
        parse_untrusted(model([equal], {"a": [None, 1]}).SerializeToString())
    encoder = ml("LabelEncoder", ["a"], ["y"], keys_strings=["a"], values_int64s=[0])
    assert "there is nothing to prove in it" in refused(encoder)
    assert "there is nothing to prove in it" in refused(node("Identity", ["a"], ["y"]))
    cast = node("Cast", ["a"], ["e"], to=FLOAT)
    assert "declare this input as numbers" in refused(cast, DOUBLE)
    far = ml("LabelEncoder", ["a"], ["e"], keys_strings=["a"], values_int64s=[2**24 + 1])
    assert "makes numbers beyond 16777216" in refused(far, DOUBLE)
    place = node("Gather", ["a", "a"], ["e"])
    assert "reads texts" in refused(place, DOUBLE)


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"tokenexp": "(?i)[a-z]+"}, "split them by one class of characters"),
        ({"tokenexp": "[a-z]+|[0-9]+"}, "split them by one class of characters"),
        ({"tokenexp": "[[:alpha:]]+"}, "split them by one class of characters"),
        ({"tokenexp": "(a+)+$"}, "split them by one class of characters"),
        ({"tokenexp": "\\b[a-z]+\\b"}, "split them by one class of characters"),
        ({"separators": ["ab"]}, "split them by one class of characters"),
        ({}, "split them by one class of characters"),
        ({"tokenexp": "[a-z]+", "mark": 1}, "export it with mark=0"),
        ({"tokenexp": ".", "mincharnum": 2}, "asks for longer ones"),
    ],
)
def test_expressions_that_say_more_than_characters(attributes: dict[str, Any], why: str) -> None:
    split = helper.make_node("Tokenizer", ["a"], ["c"], domain=MS, pad_value="#", **attributes)
    count = node("TfIdfVectorizer", ["c"], ["e"], **COUNT)
    assert why in refused(split, count, DOUBLE, shape=[None])


@pytest.mark.parametrize(
    "changes",
    [
        {"ngram_counts": [0, 9]},
        {"ngram_counts": [1, 3]},
        {"ngram_indexes": [0, 1, 2]},
        {"ngram_indexes": [0, 0, 1, 2, 3]},
        {"ngram_indexes": [0, 1, 2, 3, 2**31]},
        {"max_gram_length": 3},
        {"min_gram_length": 2, "max_gram_length": 1},
        {"mode": "TFIDF", "weights": [1.0]},
        {"mode": "MORE"},
    ],
    ids=str,
)
def test_pools_that_make_no_sense(changes: dict[str, Any]) -> None:
    given = {**COUNT, **changes}
    split = helper.make_node("Tokenizer", ["a"], ["c"], domain=MS, tokenexp="[a-z]+")
    refused(split, node("TfIdfVectorizer", ["c"], ["e"], **given), DOUBLE, shape=[None])


def test_tables_are_bounded() -> None:
    many = [str(number) for number in range(65_537)]
    encoder = ml("OneHotEncoder", ["a"], ["e"], cats_strings=many)
    with rejects(
        Reason.MODEL_TEXT_TOO_MANY,
        "operator 'OneHotEncoder', which makes 'e', has a table of 65537 entries; the limit is "
        "65536",
    ):
        parse_untrusted(model([encoder, DOUBLE], {"a": [None, 1]}).SerializeToString())
    long = ml("OneHotEncoder", ["a"], ["e"], cats_strings=["x" * 4097])
    assert "over 4096 characters" in refused(long, DOUBLE)
    heavy = ml("OneHotEncoder", ["a"], ["e"], cats_strings=[f"{n:04000}" for n in range(1100)])
    with pytest.raises(ModelRejected) as told:
        parse_untrusted(model([heavy, DOUBLE], {"a": [None, 1]}).SerializeToString())
    assert told.value.reason is Reason.MODEL_ATTRIBUTE_TOO_LONG
    twice = ml("OneHotEncoder", ["a"], ["e"], cats_strings=["x", "x"])
    assert "name something twice" in refused(twice, DOUBLE)
    wide = ml("OneHotEncoder", ["a"], ["e"], cats_strings=many[:60_000])
    assert "encode fewer categories" in refused(wide, DOUBLE, shape=[None, 100])


def test_joins_do_not_grow_without_end() -> None:
    nodes = [node("Concat", ["a", "a"], ["t0"], axis=1)]
    nodes += [node("Concat", [f"t{n}", f"t{n}"], [f"t{n + 1}"], axis=1) for n in range(60)]
    nodes += [ml("OneHotEncoder", ["t60"], ["e"], cats_strings=["x"]), DOUBLE]
    assert "joins too many texts" in refused(*nodes)


def test_shapes_that_no_texts_have() -> None:
    encoder = ml("OneHotEncoder", ["b"], ["e"], cats_strings=["x"])
    reshape = node("Reshape", ["a", "s"], ["b"])
    for shape in ([2, 1], [0, -1, -1], [-5], [3, -1]):
        refused(reshape, encoder, DOUBLE, s=np.array(shape))
    refused(node("Gather", ["a", "s"], ["b"]), encoder, DOUBLE, s=np.array([4]))
    refused(node("Gather", ["a", "s"], ["b"], axis=7), encoder, DOUBLE, s=np.array([0]))
    refused(node("Squeeze", ["a"], ["b"], axes=[0]), encoder, DOUBLE, shape=[2, 1])


def test_inputs_that_cannot_be_sent() -> None:
    encoder = ml("OneHotEncoder", ["a"], ["e"], cats_strings=["x"])
    assert "leaves axis 1 open" in refused(encoder, DOUBLE, shape=[None, None])
    refused(encoder, DOUBLE, shape=[300, 300])
    named = model([ml("OneHotEncoder", ["a\n"], ["e"], cats_strings=["x"]), DOUBLE], {"a\n": [1]})
    with pytest.raises(ModelRejected, match="has a name that cannot be shown"):
        parse_untrusted(named.SerializeToString())


def test_every_operator_that_moves_is_tried_here() -> None:
    source = Path(__file__).read_text("utf-8")
    assert [name for name in MOVED if f'"{name}"' not in source] == []


def test_each_name_stands_for_one_thing() -> None:
    encoder = ml("OneHotEncoder", ["a"], ["e"], cats_strings=["x"])
    for nodes, constants in (
        ([encoder, encoder, DOUBLE], {}),
        ([encoder, DOUBLE], {"e": np.ones((1, 1, 1), "f4")}),
        ([node("Identity", ["a"], ["a"]), encoder, DOUBLE], {}),
    ):
        with pytest.raises(ModelRejected) as told:
            parse_untrusted(model(nodes, {"a": [None, 1]}, constants).SerializeToString())
        assert told.value.reason is Reason.MODEL_DUPLICATE_NAME


def test_steps_are_counted_and_named_anew() -> None:
    def chain(count: int, stem: str) -> ModelProto:
        names = ["a", *(f"{stem}{n}" for n in range(count))]
        nodes = [node("Identity", [x], [y]) for x, y in pairwise(names)]
        last = ml("OneHotEncoder", [names[-1]], ["e"], cats_strings=["x"])
        return model([*nodes, last, DOUBLE], {"a": [None, 1]})

    one, other = (parse_untrusted(chain(5, s).SerializeToString()) for s in ("u\n", "t"))
    assert one.preprocessing == other.preprocessing
    with rejects(Reason.MODEL_TOO_MANY, "the model holds more than 4096 steps on texts"):
        parse_untrusted(chain(4096, "t").SerializeToString())


def test_open_axes_of_numbers_have_the_sizes_that_were_asked_for() -> None:
    nodes = [
        ml("OneHotEncoder", ["a"], ["e"], cats_strings=LANDS),
        node("ReduceMean", ["n"], ["m"], axes=[1]),
        node("Add", ["e", "m"], ["y"]),
    ]
    data = model(nodes, {"a": [None, 1], "n": [None, "wide", 3]}).SerializeToString()
    loaded = parse_untrusted(data, axes=Axes(named={"wide": 5}))
    assert loaded.preprocessing is not None
    for field in ("inputs", "outputs"):
        shapes = {item["name"]: item["shape"] for item in loaded.preprocessing[field]}
        assert shapes["n"] == [1, 5, 3]
    assert Preprocessing.from_canonical(loaded.preprocessing).shapes["n"] == (1, 5, 3)
