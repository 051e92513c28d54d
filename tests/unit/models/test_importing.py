"""Models of other libraries: exported by their own exporters, checked against their own answers.

What needs a library is slow, and left out, with a note, where it is not installed;
`scripts/imports.sh` runs this file where all of them are.
"""

import json
import pickle
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

import inferproof.models as models
from inferproof.cli.importing import Library
from inferproof.cli.main import app
from inferproof.errors import InputRejected, MissingPart, ModelRejected, Reason
from inferproof.models.importing import base
from inferproof.models.importing.base import (
    Exported,
    exporting,
    imported,
    need_libraries,
    one_table,
)
from inferproof.models.importing.files import KINDS, import_file
from inferproof.models.importing.pytorch import _arguments
from inferproof.testing.rejections import rejects

RUNNER = CliRunner()
RNG = np.random.default_rng(3)
X = RNG.standard_normal((120, 5)).astype(np.float32)
CLASSES = (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
VALUES = X @ np.arange(1.0, 6.0)


def needs(*packages: str) -> Any:
    """Marks what is slow and left out where a package is not installed."""
    absent = [name for name in packages if find_spec(name) is None]

    def mark(test: Any) -> Any:
        test = pytest.mark.filterwarnings("ignore")(pytest.mark.slow(test))
        why = f"not installed: {', '.join(absent)}; scripts/imports.sh installs them"
        return pytest.mark.skipif(bool(absent), reason=why)(test)

    return mark


def doubled(answers: Any) -> Exported:
    """A model that doubles its input, and what its library is made to say."""
    graph = helper.make_graph(
        [helper.make_node("Mul", ["X", "two"], ["y"])],
        "g",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])],
        [numpy_helper.from_array(np.float32([2]), "two")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return Exported("Doubling", model.SerializeToString(), {"X": X[:, np.newaxis]}, (answers,))


def test_an_exported_model_is_run_beside_its_library(tmp_path: Path) -> None:
    made = imported(doubled(2 * X))
    assert (made.alike, made.difference, made.compared) == (1.0, 0.0, ("y",))
    assert made.save(tmp_path / "m.onnx").read_bytes() == made.onnx
    with np.load(made.save_samples(tmp_path / "s.npz")) as samples:
        assert np.array_equal(samples["X"], X[:, np.newaxis])


def test_few_rows_may_be_on_the_other_side_of_a_threshold() -> None:
    answers = 2 * X
    answers[:3] += 1
    made = imported(doubled(answers))
    assert 0.9 < made.alike < 1
    assert made.difference == pytest.approx(1)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (2 * X + 0.5, "100% of the sample's rows have other outputs, by up to 0.5"),
        (None, "all of the sample's rows have other outputs, by up to 0"),
        (X[:, :2], "all of the sample's rows have other outputs, by up to 0"),
    ],
    ids=["another function", "nothing to compare", "another count"],
)
def test_another_function_is_refused(answers: Any, told: str) -> None:
    with rejects(
        Reason.IMPORT_DIFFERS,
        f"the exported model is another function than the one of Doubling: {told}; update library "
        "and exporter, or report it to the exporter",
        kind=ModelRejected,
    ):
        imported(doubled(answers))


def test_what_an_exporter_raises_is_one_rejection() -> None:
    with (
        rejects(
            Reason.EXPORT_REFUSED,
            "XGBoost or its exporter to ONNX refuses the model: KeyError: 'trees'",
            kind=ModelRejected,
        ),
        exporting("XGBoost"),
    ):
        raise KeyError("trees")


def test_a_library_that_lacks_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> None:
        raise ImportError(name=name)

    monkeypatch.setattr(base.importlib, "import_module", absent)
    with rejects(
        Reason.MISSING_LIBRARY,
        "importing a model of scikit-learn needs the Python package sklearn; install it with: "
        "pip install scikit-learn",
        kind=MissingPart,
    ):
        need_libraries("scikit-learn", own="sklearn", exporter="skl2onnx")


def test_a_sample_is_one_table() -> None:
    assert one_table(X)[0] == "X"
    for sample in ({"rows": X.astype(np.float64)}, {"rows": X[:, np.newaxis]}):
        name, rows = one_table(sample)
        assert (name, rows.dtype.name, np.array_equal(rows, X)) == ("rows", "float32", True)
    with rejects(
        Reason.IMPORT_SAMPLE,
        "the sample must be rows of numbers, one array of [rows, features], or for PyTorch one "
        "array for each argument with the samples first; it holds 2 arrays",
        kind=InputRejected,
    ):
        one_table({"a": X, "b": X})
    for wrong in (X[0], np.array([["a"]]), X[:0]):
        with pytest.raises(InputRejected) as refused:
            one_table(wrong)
        assert refused.value.reason is Reason.IMPORT_SAMPLE
    with pytest.raises(InputRejected) as refused:
        one_table(X * np.nan)
    assert refused.value.reason is Reason.INPUT_NOT_FINITE


def test_the_arguments_of_a_module_are_named() -> None:
    assert list(_arguments(X)) == ["x"]
    assert list(_arguments([X, X])) == ["x0", "x1"]
    assert _arguments({"ids": CLASSES})["ids"].dtype == CLASSES.dtype
    for wrong in ([], [X, X[:3]], np.float32(1), np.array(["a"])):
        with pytest.raises(InputRejected):
            _arguments(wrong)


def test_the_package_has_the_names_that_it_lists_and_no_others() -> None:
    for name in models.__all__:
        assert getattr(models, name) is not None
    with pytest.raises(AttributeError):
        models.from_nothing  # noqa: B018


def test_the_command_knows_every_library() -> None:
    assert [item.value for item in Library] == list(KINDS)


class Bomb:
    """Opening its pickle makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["sklearn", "torch"])
def test_a_pickle_is_not_opened_unless_it_is_trusted(kind: str, tmp_path: Path) -> None:
    path, mark = tmp_path / "m.pkl", tmp_path / "opened"
    path.write_bytes(pickle.dumps(Bomb(mark)))
    np.savez(tmp_path / "x.npz", X=X)
    with rejects(
        Reason.IMPORT_RUNS_CODE,
        f"'{path}' is a file of {KINDS[kind].library} that runs whatever code it holds as soon as "
        "it is opened; give --trust-pickle if you or somebody you trust made it, or export the "
        "model to ONNX where it was made",
        kind=ModelRejected,
    ):
        import_file(kind, path, tmp_path / "x.npz")
    words = ["import", kind, str(path), "--sample", str(tmp_path / "x.npz")]
    result = RUNNER.invoke(app, [*words, "--out", str(tmp_path / "m.onnx"), "--json"])
    assert json.loads(result.stdout)["reason"] == "IMPORT_RUNS_CODE"
    assert not mark.exists()


def estimators() -> dict[str, Any]:
    """A classifier of each way to score, regressors, a transformer, and a pipeline, all fitted."""
    from sklearn.decomposition import PCA
    from sklearn.ensemble import (
        RandomForestClassifier,
        RandomForestRegressor,
        VotingClassifier,
    )
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.multioutput import MultiOutputClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    texts = np.array(["low", "middle", "high"])[CLASSES]
    return {
        "pipeline": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, CLASSES),
        "texts": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, texts),
        "forest": RandomForestClassifier(10).fit(X, CLASSES),
        "decision": LinearSVC().fit(X, CLASSES),
        "regressor": LinearRegression().fit(X, VALUES),
        "forest of values": RandomForestRegressor(10).fit(X, VALUES),
        "votes": VotingClassifier([("a", LogisticRegression()), ("b", LinearSVC())]).fit(
            X, CLASSES
        ),
        "transformer": PCA(3).fit(X),
        # Classes of unlike number, whose probabilities are a list.
        "several": MultiOutputClassifier(LogisticRegression()).fit(
            X, np.stack([CLASSES, CLASSES > 0], axis=1).astype(int)
        ),
    }


@needs("sklearn", "skl2onnx")
def test_estimators_are_imported() -> None:
    for name, estimator in estimators().items():
        made = models.from_sklearn(estimator, {"rows": X})
        assert (name, made.alike, made.difference < 1e-3) == (name, 1.0, True)
        assert [(s.name, s.shape) for s in made.model.inputs] == [("rows", (1, 5))]
        assert len(made.compared) == len(made.model.outputs) or name == "votes"
        if name == "texts":
            labels = [spec.labels for spec in made.model.outputs]
            assert labels == [("high", "low", "middle")] * 2


@needs("sklearn", "skl2onnx", "pandas")
def test_columns_that_are_chosen_by_name_are_inputs_of_their_own() -> None:
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    frame = pd.DataFrame({"size": X[:, 0].astype(float), "age": X[:, 1], "visits": CLASSES + 3})
    parts = [("a", StandardScaler(), ["age", "size"]), ("b", MinMaxScaler(), ["visits"])]
    pipeline = make_pipeline(ColumnTransformer(parts), LogisticRegression()).fit(frame, CLASSES)
    made = models.from_sklearn(pipeline, frame)
    assert (made.alike, made.difference < 1e-3) == (1.0, True)
    assert [(s.name, s.dtype, s.shape) for s in made.model.inputs] == [
        ("size", "float32", (1, 1)),
        ("age", "float32", (1, 1)),
        ("visits", "int64", (1, 1)),
    ]
    for column in (pd.Series(["a"] * len(X)), pd.Series([None] * len(X))):
        with pytest.raises(InputRejected) as refused:
            models.from_sklearn(pipeline, frame.assign(age=column))
        assert refused.value.reason is Reason.IMPORT_SAMPLE


@needs("sklearn", "skl2onnx")
def test_what_is_not_fitted_is_refused() -> None:
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(ModelRejected) as refused:
        models.from_sklearn(LogisticRegression(), X)
    assert refused.value.reason is Reason.EXPORT_REFUSED


@needs("sklearn", "skl2onnx")
@pytest.mark.native
def test_a_pickled_pipeline_becomes_a_proof(tmp_path: Path) -> None:
    path, sample = tmp_path / "m.pkl", tmp_path / "x.npz"
    path.write_bytes(pickle.dumps(estimators()["pipeline"]))
    np.savez(sample, X=X)
    np.savez(tmp_path / "i.npz", X=X[:1])

    def run(*words: object) -> Any:
        result = RUNNER.invoke(app, [str(word) for word in (*words, "--json")])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    model, compiled, proof = tmp_path / "m.onnx", tmp_path / "dir", tmp_path / "proof"
    made = run("import", "sklearn", path, "--sample", sample, "--out", model, "--trust-pickle")
    assert (made["alike"], made["inputs"]) == (1.0, [["X", "float32", [1, 5]]])
    run("compile", model, "--calibration", sample, "--out", compiled)
    run("prove", compiled, "--input", tmp_path / "i.npz", "--out", proof)
    verified = run("verify", compiled, proof)
    assert int(np.ravel(verified["outputs"]["output_label"])[0]) == CLASSES[0]


def boosters() -> dict[str, Any]:
    """By library: file names and models, the ones that read text or JSON among them."""
    made: dict[str, Any] = {}
    if find_spec("xgboost"):
        import xgboost as x

        early = x.XGBClassifier(n_estimators=30, early_stopping_rounds=2)
        made["xgboost"] = {
            "c.json": x.XGBClassifier(n_estimators=8).fit(X, CLASSES),
            "two.ubj": x.XGBClassifier(n_estimators=8).fit(X, CLASSES > 0),
            "early.json": early.fit(X, CLASSES > 0, eval_set=[(X, X[:, 3] > 0)], verbose=False),
            "r.json": x.XGBRegressor(n_estimators=8).fit(X, VALUES),
            "share.json": x.XGBRegressor(n_estimators=8, objective="reg:logistic").fit(
                X, CLASSES > 0
            ),
        }
    if find_spec("lightgbm"):
        import lightgbm as g

        made["lightgbm"] = {
            "c.txt": g.LGBMClassifier(n_estimators=8, verbose=-1).fit(X, CLASSES).booster_,
            "two.txt": g.LGBMClassifier(n_estimators=8, verbose=-1).fit(X, CLASSES > 0).booster_,
            "r.txt": g.LGBMRegressor(n_estimators=8, verbose=-1).fit(X, VALUES).booster_,
        }
    if find_spec("catboost"):
        from catboost import CatBoostClassifier, CatBoostRegressor

        quiet = {"iterations": 8, "verbose": 0, "allow_writing_files": False}
        texts = np.array(["low", "middle", "high"])[CLASSES]
        made["catboost"] = {
            "c.cbm": CatBoostClassifier(**quiet).fit(X, CLASSES),
            "texts.cbm": CatBoostClassifier(**quiet).fit(X, texts),
            "r.json": CatBoostRegressor(**quiet).fit(X, VALUES),
        }
    return made


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
@needs("onnxmltools")
def test_boosted_trees_are_imported_from_objects_and_files(library: str, tmp_path: Path) -> None:
    if find_spec(library) is None:
        pytest.skip(f"not installed: {library}; scripts/imports.sh installs it")
    np.savez(tmp_path / "x.npz", rows=X)
    take = getattr(models, f"from_{library}")
    for name, model in boosters()[library].items():
        made = take(model, {"rows": X})
        assert (name, made.alike, made.difference < 1e-3) == (name, 1.0, True)
        if name.endswith(".json") and library == "catboost":
            model.save_model(str(tmp_path / name), format="json")
        else:
            model.save_model(str(tmp_path / name))
        again = import_file(library, tmp_path / name, tmp_path / "x.npz")
        assert (name, again.alike, again.model.inputs) == (name, 1.0, made.model.inputs)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
@needs("onnxmltools")
def test_a_broken_file_of_trees_is_a_rejection(library: str, tmp_path: Path) -> None:
    if find_spec(library) is None:
        pytest.skip(f"not installed: {library}; scripts/imports.sh installs it")
    np.savez(tmp_path / "x.npz", rows=X)
    for content in (b"", b"{}", b'{"learner": {}}', b"tree\nversion=v4\n", bytes(range(256)) * 40):
        (tmp_path / "m").write_bytes(content)
        with pytest.raises(ModelRejected):
            import_file(library, tmp_path / "m", tmp_path / "x.npz")


@needs("torch", "onnxscript")
def test_modules_of_pytorch_are_imported_from_objects_and_files(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Linear(5, 8), torch.nn.BatchNorm1d(8), torch.nn.GELU(), torch.nn.Dropout()]
    module = torch.nn.Sequential(*layers, torch.nn.Linear(8, 3)).eval()
    made = models.from_torch(module, {"rows": X})
    assert (made.alike, made.difference < 1e-4) == (1.0, True)
    assert [(spec.name, spec.shape) for spec in made.model.inputs] == [("rows", (1, 5))]
    np.savez(tmp_path / "x.npz", rows=X)
    example = (torch.from_numpy(X[:1]),)
    torch.export.save(torch.export.export(module, example), tmp_path / "m.pt2")
    with warnings.catch_warnings(action="ignore"):
        torch.jit.trace(module, example).save(tmp_path / "m.pt")
    for name in ("m.pt2", "m.pt"):
        again = import_file("torch", tmp_path / name, tmp_path / "x.npz", trust=True)
        assert (name, again.alike, again.model.inputs) == (name, 1.0, made.model.inputs)
    (tmp_path / "broken.pt2").write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelRejected):
        import_file("torch", tmp_path / "broken.pt2", tmp_path / "x.npz", trust=True)
