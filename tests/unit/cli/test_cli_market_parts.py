"""Parts of the demonstration and of the local market, each with what can go wrong."""

import signal
import stat
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inferproof.app.compiling import compile_card
from inferproof.chain.rpc import Rpc
from inferproof.cli import demo, devnet, model
from inferproof.client import Answer
from inferproof.errors import (
    InputRejected,
    MissingPart,
    ModelRejected,
    ProofRejected,
    Reason,
    Unavailable,
)
from inferproof.models.card import load_card
from inferproof.proving.registry import get_system
from inferproof.testing import market
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.market import _held, find_zoo
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ANSWER, sample_receipt_file
from inferproof.types.digest import Address, Digest


def bought(**changes: object) -> demo.Bought:
    file = replace(sample_receipt_file(), **changes)  # type: ignore[arg-type]
    answer = Answer(Digest(bytes(32)), ANSWER, "up", True, file)
    return demo.Bought("sample", answer, "header", "/path", 1.0, 0.1, "sample", "all", 1)


def test_a_demonstration_without_a_proof_is_broken(devnet: DevnetInfo) -> None:
    with rejects(
        Reason.DEMO_BROKEN,
        "the demonstration went wrong: the receipt carries no proof",
        kind=Unavailable,
    ):
        demo._tamper(devnet, bought(proof=None))


class Asked:
    """A contract that accepts whatever it is asked, or refuses it."""

    def __init__(self, *, accepts: bool) -> None:
        self._accepts = accepts

    async def ask(self, _rpc: Rpc, contract: Address) -> int:
        if not self._accepts:
            raise ProofRejected(Reason.PROOF_REFUSED_ON_CHAIN, verifier=contract)
        return 1


def test_a_forgery_that_the_contract_accepts_breaks_the_demonstration(
    devnet: DevnetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "contract_check", lambda *_: Asked(accepts=True))
    with rejects(
        Reason.DEMO_BROKEN, "the demonstration went wrong: the contract accepted a forged answer"
    ):
        demo._tamper(devnet, bought())


def test_a_forgery_that_is_accepted_breaks_the_demonstration(
    devnet: DevnetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "contract_check", lambda *_: Asked(accepts=False))
    monkeypatch.setattr(demo, "verify_proof", lambda *_: None)
    monkeypatch.setattr(demo, "installed_tools", lambda: type("T", (), {"checker": print})())
    with rejects(Reason.DEMO_BROKEN, "the demonstration went wrong: a forged answer was accepted"):
        demo._tamper(devnet, bought())


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a b", "a b"), ({"é": 1}, '{"é": 1}'), ("x" * 80, "x" * 69 + "…")],
    ids=["text", "json", "long"],
)
def test_inputs_are_shown_short(value: object, shown: str) -> None:
    assert demo._short(value) == shown


def test_a_card_without_calibration_is_not_compiled(tmp_path: Path) -> None:
    card = load_card(find_zoo() / "sentiment")
    card = replace(card, files=replace(card.files, calibration=None))
    with rejects(
        Reason.CARD_NO_CALIBRATION,
        f"the card of {card.name} names no calibration file; compiling needs samples: "
        "add calibration to its [files], or say from where to draw them with --range low:high",
        kind=ModelRejected,
    ):
        compile_card(card, tmp_path / "out", get_system("ezkl"))
    assert not (tmp_path / "out").exists()


def test_without_the_native_prover_the_market_proves_with_ezkl_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing(name: str) -> None:
        if name == "sumcheck":
            raise MissingPart(Reason.MISSING_NATIVE)

    monkeypatch.setattr(market, "require_native", missing)
    chain = market.LocalChain(tmp_path)
    own = load_card(find_zoo() / "fraud")
    assert own.proof.system == "sumcheck"
    card = chain._card(find_zoo() / "fraud")
    assert card.proof.system == "ezkl"
    assert replace(card.proof, system="sumcheck") == own.proof
    assert card.folder == tmp_path / "cards" / "ezkl" / "fraud"
    assert chain.notes[0].startswith("transfer-fraud is proven with ezkl: proof system sumcheck")
    assert len(chain.notes) == 1
    assert load_card(chain._card(find_zoo() / "fraud").folder).proof.system == "ezkl"


@pytest.mark.parametrize("name", market.ZOO)
def test_the_zoo_is_proven_by_the_native_prover(name: str) -> None:
    assert load_card(find_zoo() / name).proof.system == "sumcheck"


def test_a_market_can_be_told_its_proof_system(tmp_path: Path) -> None:
    chain = market.LocalChain(tmp_path, system="ezkl")
    own, card = load_card(find_zoo() / "token_risk"), chain._card(find_zoo() / "token_risk")
    assert card.proof == replace(own.proof, system="ezkl")
    assert chain._with_system(card, "ezkl") is card
    assert not chain.notes
    assert (card.folder / "model.onnx").read_bytes() == own.model_path.read_bytes()


def test_labels_are_whole_numbers() -> None:
    arrays = {"x": np.zeros((3, 2)), "labels": np.array([0, 1, 1])}
    labels = model._labels(arrays)
    assert labels is not None
    assert labels.tolist() == [0, 1, 1]
    assert set(arrays) == {"x"}
    assert model._labels({"x": np.zeros(3)}) is None
    with rejects(
        Reason.LABELS_MALFORMED,
        "labels are whole numbers, one a sample; here they are float64 [2]",
        kind=InputRejected,
    ):
        model._labels({"labels": np.array([0.0, 1.0])})
    with rejects(
        Reason.LABELS_MALFORMED,
        "labels are whole numbers, one a sample; here they are int64 [1, 2]",
    ):
        model._labels({"labels": np.array([[0, 1]])})


def test_one_folder_holds_one_market(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    with _held(folder):
        with (
            rejects(
                Reason.DEVNET_FOLDER_BUSY,
                f"another local chain uses the folder {folder}; end it, or name another one",
                kind=Unavailable,
            ),
            _held(folder),
        ):
            pass
        with _held(tmp_path / "other"):
            pass
    with _held(folder):
        pass


def test_a_written_key_is_its_owners_alone_even_where_one_lay(tmp_path: Path) -> None:
    (tmp_path / "buyer.key").write_text("old")
    (tmp_path / "buyer.key").chmod(0o644)
    path = devnet.write_key(tmp_path, "buyer", b"\x11" * 32)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "11" * 32 + "\n"


@pytest.fixture
def handlers():
    """The signal handlers as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_waiting_ends_with_a_signal(number: signal.Signals, handlers: None) -> None:
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.2, signal.pthread_kill, [main, number])
    timer.start()
    devnet._wait(lambda: True)
    timer.join()


def test_waiting_ends_when_a_part_ends(handlers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devnet, "LOOK_S", 0.01)
    with rejects(
        Reason.SERVICE_ENDED,
        "the local chain or its gateway has ended; see the log and start the gateway again",
        kind=Unavailable,
    ):
        devnet._wait(lambda: False)
