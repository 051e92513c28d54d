"""The alert rules speak of metrics that exist, and each says what to do."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from inferproof.observability.metrics import Metrics
from inferproof.types.job import JobState

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "prometheus" / "alerts.yml"
RULES = [rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]]
REFERENCE = (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8")
GUIDE = (ROOT / "docs" / "guide" / "watching.md").read_text("utf-8")


def known() -> set[str]:
    names: set[str] = set()
    metrics = Metrics()
    metrics.watch()
    for family in text_string_to_metric_families(metrics.render().decode()):
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


LABELS = {
    name: set(re.findall(r"`(\w+)`", labels))
    for name, labels in re.findall(r"\| `(inferproof_\w+)` \| \w+ \|([^|]*)\|", REFERENCE)
}
EVERYWHERE = {"instance", "job"}
WORDS = {"min", "max", "sum", "increase", "absent", "by", "time", "and", "or", "unless"}
LENGTH = r"[1-9][0-9]*[smhd]"


def faults(rule: dict[str, Any]) -> list[str]:
    """What Prometheus, or a reader, would stumble on. Not all of PromQL: what our rules use."""
    fields = {"alert", "expr", "for", "labels", "annotations"}
    found = [f"field {name}" for name in (rule.keys() | {"for"}) ^ fields]
    expression = str(rule["expr"])
    if not re.fullmatch(LENGTH, str(rule.get("for", "1m"))):
        found.append("for")
    plain = re.sub(r'"[^"]*"', "", expression)
    if not _closed(plain):
        found.append("brackets")
    if not re.search(r"(==|!=|>=|<=|>|<) [0-9][0-9e.]*$", plain):
        found.append("it compares with nothing")
    found += [f"[{r}]" for r in re.findall(r"\[([^]]*)\]", plain) if not re.fullmatch(LENGTH, r)]
    called = re.findall(r"\b([a-z_]+) *\(", plain)
    found += [f"{name}()" for name in called if name not in WORDS]
    usable = set(EVERYWHERE)
    for name, selector in re.findall(r"\b(inferproof_\w+)(?:\{([^}]*)\})?", expression):
        has = EVERYWHERE | LABELS.get(re.sub("_(count|sum|bucket)$", "", name), set())
        usable |= has
        asked = re.findall(r'(\w+) *(?:=~|!~|!=|=) *"', selector)
        found += [f"{name} has no {label}" for label in asked if label not in has]
    groups = re.findall(r"\bby *\(([^)]*)\)", expression)
    kept = {label.strip() for group in groups for label in group.split(",")}
    found += [f"by {label}" for label in kept - usable]
    if not re.search(r"\b(min|max|sum)\b", plain):
        kept = usable
    text = " ".join(rule["annotations"].values())
    shown = re.findall(r"\{\{(.*?)\}\}", text)
    found += [s for s in shown if not re.fullmatch(r" \$(value|labels\.\w+) ", s)]
    named = re.findall(r"\$labels\.(\w+)", text)
    return found + [f"$labels.{label}" for label in named if label not in kept]


def _closed(text: str) -> bool:
    open_ones = []
    for character in text:
        if character in "([{":
            open_ones.append(character)
        elif character in ")]}" and (not open_ones or open_ones.pop() + character not in "()[]{}"):
            return False
    return not open_ones


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_whole(rule: dict[str, Any]) -> None:
    assert faults(rule) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("expr", "max(inferproof_oldest_job_seconds > 600"),
        ("expr", "max(inferproof_oldest_job_seconds)"),
        ("expr", 'max(inferproof_oldest_job_seconds{sate="queued"}) > 600'),
        ("expr", "maximum(inferproof_oldest_job_seconds) > 600"),
        ("expr", "max by (stat) (inferproof_oldest_job_seconds) > 600"),
        ("expr", "increase(inferproof_refunds_total[15]) > 0"),
        ("for", "10 minutes"),
        ("annotations", {"summary": "The check {{ $labels.check }} fails."}),
        ("annotations", {"summary": "It is {{ value }}."}),
        ("label", {}),
    ],
)
def test_a_fault_of_a_rule_is_found(field: str, value: object) -> None:
    rule = next(rule for rule in RULES if rule["alert"] == "InferproofQueueSlow")
    assert faults({**rule, field: value})


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


def test_the_example_scrapes_each_process_once_under_the_name_of_the_rules() -> None:
    told = yaml.safe_load((FILE.parent / "prometheus.yml").read_text())
    (job,) = told["scrape_configs"]
    assert (FILE.parent / told["rule_files"][0]) == FILE
    assert any(f'{{job="{job["job_name"]}"}}' in str(rule["expr"]) for rule in RULES)
    targets = [target for group in job["static_configs"] for target in group["targets"]]
    assert len(set(targets)) == len(targets) > 1
