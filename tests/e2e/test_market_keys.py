"""Markets of a chain in memory, one after another: they prove under the same keys."""

from pathlib import Path

import pytest

from inferproof.app.openings import local_openings
from inferproof.client import Client
from inferproof.proving.sumcheck.private_key import read_key
from inferproof.testing.market import OPENINGS, Market

pytestmark = [pytest.mark.slow, pytest.mark.native]


def bought(folder: Path) -> Path:
    """Where the model lies compiled that a market in the folder sold an answer of."""
    with Market(folder, zoo=("fraud",)) as market:
        (listing,) = market.models
        example = listing.card.input.examples[0]
        with Client(market.url, key=market.devnet.accounts.buyer) as client:
            answer = client.infer(listing.card.id, example.value, max_price="0.25")
        assert answer.verified
        assert answer.label == example.label
    return listing.compiled


def left(compiled: Path) -> int:
    return local_openings(compiled).budget(read_key(compiled).name).left


def test_the_next_market_proves_under_the_same_key_until_it_is_spent(tmp_path: Path) -> None:
    compiled = bought(tmp_path)
    key, before = read_key(compiled).name, left(compiled)
    assert bought(tmp_path) == compiled
    assert read_key(compiled).name == key
    assert left(compiled) == before - OPENINGS
    for _ in range(left(compiled) - OPENINGS + 1):
        local_openings(compiled).take(key)
    assert bought(tmp_path) == compiled
    assert read_key(compiled).name != key


def test_where_the_records_are_gone_the_model_is_compiled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = bought(tmp_path)
    key = read_key(compiled).name
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "elsewhere"))
    assert bought(tmp_path) == compiled
    assert read_key(compiled).name != key
