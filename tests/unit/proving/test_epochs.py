"""Epochs of one process: every proof has an opening of its own, whose slot was counted before."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from private_keys import FakeKey

from inferproof.app.openings import CompiledOpenings, local_openings
from inferproof.errors import Conflict, Reason, Unavailable
from inferproof.proving.openings import Openings, PassingOpenings
from inferproof.proving.sumcheck.epochs import Epochs
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.types.digest import Digest


@pytest.fixture(params=["passing", "records"])
def openings(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Openings:
    if request.param == "passing":
        return PassingOpenings()
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "home"))
    (tmp_path / "compiled").mkdir()
    return local_openings(tmp_path / "compiled")


def prove(epochs: Epochs, statement: bytes = b"") -> bytes:
    epoch, slot = epochs.opening()
    return epoch.prove(object(), statement, slot)  # type: ignore[arg-type]


def prove_private(epochs: Epochs) -> bytes:
    epoch, slot = epochs.opening(private_inputs=True)
    return epoch.prove(object(), b"", slot, attempt=0)  # type: ignore[arg-type]


def epochs_of(key: FakeKey, openings: Openings) -> Epochs:
    return Epochs(key.registered(openings), openings)  # type: ignore[arg-type]


def left_of(key: FakeKey, openings: Openings) -> int:
    return openings.budget(Digest(key.name())).left


@pytest.mark.parametrize(("proofs", "links", "most"), [(4, 2, 8 * 2 * 4), (3, 0, 8 * 3), (1, 1, 8)])
def test_a_key_serves_all_that_its_epochs_come_to_and_then_says_so(
    openings: Openings, proofs: int, links: int, most: int
) -> None:
    key = FakeKey(proofs=proofs, links=links)
    epochs = epochs_of(key, openings)
    made = {prove(epochs) for _ in range(most)}
    assert len(made) == most == key.proven()
    with pytest.raises(Conflict) as caught:
        prove(epochs)
    assert caught.value.reason is Reason.OPENINGS_SPENT
    assert caught.value.message == (
        f"of the openings of key {Digest(key.name())} 0 are left where 1 are needed; make a new "
        "key of the same weights: inferproof provider rotate DIR"
    )
    assert key.slots == list(range(8))


def test_private_inputs_have_epochs_of_their_own_below_the_same_links(openings: Openings) -> None:
    key = FakeKey(proofs=4, links=8)
    epochs = epochs_of(key, openings)
    for _ in range(2):
        prove(epochs)
        prove_private(epochs)
    public, private = (each for each in key.epochs if each.for_proofs)
    assert (public.of_private, private.of_private) == (False, True)
    assert public.slots == private.slots == [0, 1]
    assert key.slots == [0]
    epochs.close()
    for each in key.epochs:
        assert openings.budget(Digest(each.name())).ranges == ()


def test_threads_of_both_kinds_never_share_an_opening(openings: Openings) -> None:
    key = FakeKey(proofs=5, links=3, size=60)
    epochs = epochs_of(key, openings)
    with ThreadPoolExecutor(8) as threads:
        kinds = [prove, prove_private] * 60
        made = list(threads.map(lambda kind: kind(epochs), kinds))
    assert len(set(made)) == 120


def test_threads_never_share_an_opening(openings: Openings) -> None:
    key = FakeKey(proofs=5, links=3, size=40)
    epochs = epochs_of(key, openings)
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: prove(epochs), range(120)))
    assert len(set(made)) == 120


def test_a_start_costs_one_opening_of_the_key_and_the_next_epoch_none(openings: Openings) -> None:
    key = FakeKey(proofs=4, links=3)
    epochs = epochs_of(key, openings)
    for _ in range(8):
        prove(epochs)
    assert key.slots == [0]
    epochs.close()
    again = Epochs(key, openings)  # type: ignore[arg-type]
    prove(again)
    assert key.slots == [0, 1]


def test_the_next_epoch_is_made_ahead(openings: Openings) -> None:
    key = FakeKey(proofs=8, links=9)
    epochs = epochs_of(key, openings)
    for _ in range(5):
        prove(epochs)
    assert sum(each.for_proofs for each in key.epochs) == 1
    prove(epochs)
    epochs.close()  # waits for what is under way
    assert sum(each.for_proofs for each in key.epochs) == 2


def test_what_ended_is_forgotten_and_the_key_is_not(openings: Openings) -> None:
    key = FakeKey(proofs=2, links=2)
    epochs = epochs_of(key, openings)
    for _ in range(5):
        prove(epochs)
    epochs.close()
    epochs.close()
    for each in key.epochs:
        assert openings.budget(Digest(each.name())).ranges == ()
    assert left_of(key, openings) == 8 - len(key.slots)


def test_a_proof_that_fails_has_lost_its_opening(openings: Openings) -> None:
    key = FakeKey(proofs=4)
    epochs = epochs_of(key, openings)
    key.fails = True
    with pytest.raises(RuntimeError):
        prove(epochs)
    key.fails = False
    prove(epochs)
    (proving,) = (each for each in key.epochs if each.for_proofs)
    assert proving.slots == [0, 1]


def test_a_key_that_nobody_counts_begins_nothing(openings: Openings) -> None:
    key = FakeKey()
    epochs = Epochs(key, openings)  # type: ignore[arg-type]
    with pytest.raises(Conflict) as caught:
        prove(epochs)
    assert caught.value.reason is Reason.OPENINGS_UNKNOWN
    assert not key.slots


def test_an_epoch_whose_count_was_lost_is_given_up_for_another(openings: Openings) -> None:
    """Whoever removes its record takes no proof away, and brings no opening back."""
    key = FakeKey(proofs=4, links=2)
    epochs = epochs_of(key, openings)
    prove(epochs)
    (lost,) = (each for each in key.epochs if each.for_proofs)
    openings.forget(Digest(lost.name()))
    prove(epochs)
    assert lost.slots == [0]
    assert key.slots == [0]


class Losing(PassingOpenings):
    """Forgets each epoch that it is to count."""

    def register(self, key: Digest, size: int, *, reserved: int = 1) -> None:
        if reserved:
            super().register(key, size, reserved=reserved)


def test_where_no_epoch_can_be_counted_not_all_openings_are_spent_on_it() -> None:
    openings, key = Losing(), FakeKey()
    epochs = epochs_of(key, openings)
    with pytest.raises(Conflict) as caught:
        prove(epochs)
    assert caught.value.reason is Reason.OPENINGS_UNKNOWN
    assert key.slots == [0]


class Away(PassingOpenings):
    """Does not answer while it is away."""

    away = False

    def take(self, *args: Any, **options: Any) -> Any:
        if self.away:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, why="gone")
        return super().take(*args, **options)

    def forget(self, key: Digest) -> None:
        raise Unavailable(Reason.STORAGE_UNAVAILABLE, why="gone")


def test_while_the_store_is_away_nothing_is_proven_and_nothing_is_lost() -> None:
    openings, key = Away(), FakeKey(proofs=4, links=2)
    epochs = epochs_of(key, openings)
    prove(epochs)
    openings.away = True
    with pytest.raises(Unavailable):
        prove(epochs)
    openings.away = False
    for _ in range(4):  # also the end of an epoch that is not forgotten
        prove(epochs)
    assert key.slots == [0]


def test_a_fork_begins_an_epoch_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "home"))
    (tmp_path / "compiled").mkdir()
    openings = local_openings(tmp_path / "compiled")
    key = FakeKey(proofs=9, links=4)
    epochs = epochs_of(key, openings)
    first = prove(epochs)
    monkeypatch.setattr(os, "getpid", lambda pid=os.getpid(): pid + 1)
    # As in the child, which has a copy of all this.
    second = prove(epochs)
    assert key.slots == [0, 1]
    assert first[:32] != second[:32]
    assert len(key.epochs) == 4


def test_a_level_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    openings = CompiledOpenings(
        LocalOpeningBudgets(tmp_path / "openings"), tmp_path, asyncio.run, told.append
    )
    key = FakeKey(proofs=1, links=0, size=11)
    epochs = epochs_of(key, openings)
    for _ in range(10):
        prove(epochs)
    assert [(each.left, each.fell_to.value) for each in told] == [(2, "low"), (0, "spent")]
