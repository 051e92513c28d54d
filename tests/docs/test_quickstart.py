"""The notebook docs/quickstart.ipynb: ten cells that run, one after the other, as they stand."""

import ast
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "quickstart.ipynb"
ABSENT = [name for name in ("sklearn", "skl2onnx") if find_spec(name) is None]


def code_cells() -> list[str]:
    """The source of each code cell, in order."""
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_it_has_ten_cells_of_python() -> None:
    assert len(code_cells()) == 10
    for source in code_cells():
        ast.parse(source)


def test_it_is_kept_without_what_a_run_printed() -> None:
    for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.slow
@pytest.mark.native
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(
    bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}; scripts/imports.sh installs them"
)
def test_its_cells_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    state: dict[str, Any] = {"__name__": "quickstart"}
    try:
        for source in code_cells():
            exec(compile(source, str(NOTEBOOK), "exec"), state)  # noqa: S102
    finally:
        if "market" in state:
            state["market"].kill()
            state["market"].communicate()
    assert state["model"].alike == 1
    assert state["report"].agreement > 0.97
    # The proven probabilities, the sold answer and the pipeline name the same class.
    said = int(state["pipeline"].predict(state["test"][:1])[0])
    assert int(state["probabilities"].argmax()) == said
    assert state["answer"].label == ["setosa", "versicolor", "virginica"][said]
    assert str(state["paid"]).startswith("0.1")
    assert state["told"]["verified"] is True
    assert state["refused"] == "PROOF_INVALID"
