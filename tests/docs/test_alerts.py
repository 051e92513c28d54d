"""The alert rules speak of metrics that exist, and each says what to do."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from inferproof.api.metrics import Metrics
from inferproof.types.job import JobState

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "prometheus" / "alerts.yml"
RULES = [rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]]
GUIDE = (ROOT / "docs" / "guide" / "watching.md").read_text("utf-8")


def known() -> set[str]:
    names: set[str] = set()
    for family in text_string_to_metric_families(Metrics().render().decode()):
        suffixes = {"counter": ["_total"], "histogram": ["_count", "_sum", "_bucket"]}
        names |= {family.name + end for end in suffixes.get(family.type, [""])}
    return names


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_speaks_of_what_there_is(rule: dict[str, object]) -> None:
    expression = str(rule["expr"])
    named = set(re.findall(r"\binferproof_[a-z_]+", expression))
    assert named <= known()
    assert named or expression.startswith("up{")
    states = {s for group in re.findall(r'state=~"([^"]+)"', expression) for s in group.split("|")}
    assert states <= {state.value for state in JobState}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    name = str(rule["alert"])
    assert rule["labels"]["severity"] in ("page", "warn")
    assert rule["annotations"]["runbook"] == f"docs/guide/watching.md#{name.lower()}"
    assert f"\n### {name}\n" in GUIDE


def test_the_guide_names_no_rule_that_is_gone() -> None:
    assert set(re.findall(r"\n### (Inferproof\w+)\n", GUIDE)) == {rule["alert"] for rule in RULES}


if shutil.which("promtool"):

    def test_promtool_takes_them() -> None:
        ended = subprocess.run(
            ["promtool", "check", "rules", str(FILE)], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
