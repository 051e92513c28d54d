"""Submitting, approving, listing models."""

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from service_parts import CARD, PRICE, PROVIDER_KEY, Services, named_bundle

from inferproof.errors import ArtifactRejected, Conflict, NotFound, Reason, RequestRejected
from inferproof.protocol.opening_budget import Budget, Range
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import encode_bundle
from inferproof.services.models import registry as registry_room
from inferproof.services.models.submission import (
    build_submission,
    read_submission,
    submission_digest,
)
from inferproof.storage.ports.models import ModelFilter, ModelOrder, ModelStatus
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET, STRANGER
from inferproof.types.digest import Digest
from inferproof.types.proof import Visibility

NEWEST = ModelFilter(order=ModelOrder.NEWEST)


def submission(
    key: SigningKey = PROVIDER_KEY, *, bundle: bytes | None = None, **changes: Any
) -> tuple[bytes, bytes]:
    card = deepcopy(CARD)
    for name, value in changes.items():
        card[name] = {**card[name], **value} if isinstance(value, dict) else value
    return build_submission(card, bundle or encode_bundle(named_bundle()), 1234, key)


async def test_a_submission_waits_for_approval(services: Services) -> None:
    gateway = services.gateway
    pending = await gateway.submit_model(*submission(version="1.1.0"))
    assert pending.status is ModelStatus.PENDING
    assert pending.estimate is None
    assert [m.version for m in await gateway.list_models(NEWEST)] == ["1.0.0"]
    assert (await gateway.model("sample")).version == "1.0.0"
    approved = await gateway.approve("sample@1.1.0")
    assert approved.status is ModelStatus.ACTIVE
    assert approved.estimate is not None
    assert approved.estimate.prove_ms == 900
    assert [m.version for m in await gateway.list_models(NEWEST)] == ["1.1.0", "1.0.0"]
    assert (await gateway.model("sample")).version == "1.1.0"
    assert await gateway.bundle("sample") == encode_bundle(named_bundle())


async def test_the_same_submission_again_is_the_same_model(services: Services) -> None:
    first = await services.gateway.submit_model(*submission(version="1.1.0"))
    await services.gateway.approve("sample@1.1.0")
    again = await services.gateway.submit_model(*submission(version="1.1.0"))
    assert again.commitment == first.commitment
    assert again.status is ModelStatus.ACTIVE


async def test_a_version_never_changes(services: Services) -> None:
    with rejects(
        Reason.MODEL_VERSION_TAKEN,
        "sample@1.0.0 is there already with other content; give it a new version",
        kind=Conflict,
    ):
        await services.gateway.submit_model(*submission(title="Another"))


async def test_an_id_has_one_owner(services: Services) -> None:
    with rejects(
        Reason.MODEL_OWNED,
        f"the model id sample belongs to provider {PROVIDER_KEY.address}; choose another id",
        kind=Conflict,
    ):
        await services.gateway.submit_model(*submission(STRANGER, version="2.0.0"))


async def test_signature_must_be_the_providers(services: Services) -> None:
    document, _ = submission(version="2.0.0")
    message = f"the submission is not signed by its provider {PROVIDER_KEY.address}"
    for forged in (STRANGER.sign(submission_digest(document)), b"", bytes(65)):
        with rejects(Reason.SUBMISSION_SIGNATURE, message, kind=RequestRejected):
            await services.gateway.submit_model(document, forged)


def test_unreadable_submissions() -> None:
    with rejects(
        Reason.SUBMISSION_MALFORMED,
        "the submission cannot be read: it is not JSON",
        kind=RequestRejected,
    ):
        read_submission(b"{")
    with rejects(
        Reason.SUBMISSION_MALFORMED,
        "the submission cannot be read: its format is not inferproof/submission/2",
    ):
        read_submission(b'{"format":"x"}')
    for document in (b"[]", b"[" * 100_000, b'{"format":"inferproof/submission/2"}'):
        with pytest.raises(RequestRejected):
            read_submission(document)


def test_a_submission_names_no_digest_of_the_file() -> None:
    document, _ = submission()
    assert json.loads(document)["file"] == {"size": 1234}
    value = json.loads(document)
    value["file"]["sha256"] = "0x" + "08" * 32
    with rejects(
        Reason.FIELD_MALFORMED,
        "field sha256 of the submission.file is malformed",
        kind=RequestRejected,
    ):
        read_submission(json.dumps(value).encode())


def test_submissions_from_before_are_read_without_their_digest() -> None:
    new, _ = submission()
    value = json.loads(new) | {"format": "inferproof/submission/1"}
    with pytest.raises(RequestRejected):
        read_submission(json.dumps(value).encode())
    value["file"]["sha256"] = "0x" + "08" * 32
    assert read_submission(json.dumps(value).encode()) == read_submission(new)


def test_card_and_bundle_must_agree() -> None:
    document, _ = submission(proof={"system": "ezkl"})
    with rejects(
        Reason.SUBMISSION_MISMATCH,
        "the card says proof system ezkl, the verifier bundle says sample",
    ):
        read_submission(document)
    hashed = encode_bundle(named_bundle(visibility=Visibility.HASHED))
    document, _ = submission(bundle=hashed)
    with rejects(
        Reason.SUBMISSION_MISMATCH,
        "the card says input visibility public, the verifier bundle says hashed",
    ):
        read_submission(document)


def test_unknown_field_of_a_submission() -> None:
    document, _ = submission()
    value = json.loads(document)
    value["more"] = 1
    with pytest.raises(RequestRejected):
        read_submission(json.dumps(value).encode())


async def test_approving_another_compiled_model_is_refused(services: Services) -> None:
    await services.gateway.submit_model(*submission(version="1.1.0"))
    services.world.system.bundle = named_bundle(srs=b"another")
    with pytest.raises(ArtifactRejected):
        await services.gateway.approve("sample@1.1.0")
    assert (await services.gateway.model("sample@1.1.0")).status is ModelStatus.PENDING


async def test_a_model_whose_openings_are_counted_elsewhere_is_not_sold(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, store = Digest(bytes([1]) * 32), Digest(bytes([2]) * 32)
    known = Budget(key, store)
    system = services.world.system
    monkeypatch.setattr(type(system), "budget", lambda *_: known, raising=False)
    monkeypatch.setattr(type(system), "end_epochs", lambda _: None, raising=False)
    await services.gateway.submit_model(*submission(version="1.1.0"))
    with rejects(
        Reason.OPENINGS_UNKNOWN,
        f"nothing here counts the openings of key {key}, so they count as spent; prove where the "
        "key was made, or bring openings from there: inferproof provider openings show DIR here "
        "tells the store, give DIR --to STORE there writes them, accept FILE here counts them",
        kind=Conflict,
    ):
        await services.gateway.approve("sample@1.1.0")
    assert (await services.gateway.model("sample@1.1.0")).status is ModelStatus.PENDING
    known = known.with_range(Range(store, 0, 9, 1))
    approved = await services.gateway.approve("sample@1.1.0")
    assert approved.status is ModelStatus.ACTIVE


async def test_prices_in_a_token_of_other_decimals_are_refused(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = services.gateway._registry
    await services.gateway.submit_model(*submission(version="1.1.0"))
    other = replace(registry._settings, asset=replace(ASSET, symbol="DAI", decimals=18))
    monkeypatch.setattr(registry, "_settings", other)
    message = "the card's price is in USDC, of 6 decimals; this gateway is paid in DAI, of 18"
    with rejects(Reason.SUBMISSION_CURRENCY, message, kind=RequestRejected):
        await services.gateway.submit_model(*submission(version="1.2.0"))
    with rejects(Reason.SUBMISSION_CURRENCY, message, kind=RequestRejected):
        await services.gateway.approve("sample@1.1.0")


async def test_filters(services: Services) -> None:
    async def names(**fields: Any) -> list[str]:
        return [m.name for m in await services.gateway.list_models(ModelFilter(**fields))]

    assert await names(max_price=PRICE) == ["sample@1.0.0"]
    assert await names(max_price=PRICE - 1) == []
    assert await names(max_price=2**255) == ["sample@1.0.0"]
    assert await names(category="testing", proof_system="sample") == ["sample@1.0.0"]
    assert await names(category="other") == []
    assert await names(input_type="text") == []
    assert await names(offset=1) == []
    assert await names(status=ModelStatus.SUSPENDED) == []
    for order in ModelOrder:
        assert await names(order=order) == ["sample@1.0.0"]


async def test_unknown_models(services: Services) -> None:
    for name in ("nothing", "sample@9.9.9", "@", ""):
        with rejects(Reason.MODEL_UNKNOWN, f"there is no model {name}", kind=NotFound):
            await services.gateway.model(name)
    with pytest.raises(NotFound):
        await services.gateway.suspend("nothing@1.0.0")


async def test_a_submission_that_is_refused_stores_nothing(services: Services) -> None:
    def stored() -> int:
        return sum(1 for path in (services.world.folder / "blobs").rglob("*") if path.is_file())

    await services.gateway.submit_model(*submission(version="1.1.0"))
    before = stored()
    other = named_bundle(srs=b"another file")
    for refused in (
        submission(SigningKey(b"\x0b" * 32), version="2.0.0", bundle=encode_bundle(other)),
        submission(version="1.1.0", title="Another", bundle=encode_bundle(other)),
    ):
        with pytest.raises(Conflict):
            await services.gateway.submit_model(*refused)
    assert stored() == before


async def test_a_compiled_model_is_offered_by_one_provider(services: Services) -> None:
    gateway, thief = services.gateway, SigningKey(b"\x0b" * 32)
    copied = await gateway.submit_model(*submission(thief, id="copied"))
    with rejects(
        Reason.MODEL_COMMITMENT_OWNED,
        f"the compiled model {copied.commitment} is offered by provider {PROVIDER_KEY.address} "
        "as sample@1.0.0 already",
        kind=Conflict,
    ):
        await gateway.approve("copied@1.0.0")
    assert (await gateway.model("copied@1.0.0")).status is ModelStatus.PENDING
    await gateway.suspend("sample@1.0.0")
    with pytest.raises(Conflict):
        await gateway.approve("copied@1.0.0")
    assert (await gateway.approve("sample@1.0.0")).status is ModelStatus.ACTIVE


async def test_a_copy_that_only_waits_keeps_nobody_out(services: Services) -> None:
    gateway = services.gateway
    await gateway.submit_model(*submission(SigningKey(b"\x0b" * 32), id="squatter"))
    await gateway.submit_model(*submission(version="1.1.0"))
    assert (await gateway.approve("sample@1.1.0")).status is ModelStatus.ACTIVE


ENDED = (
    "the verifying key is of mode {mode}, which has ended, because the weights follow from its "
    "proofs: no release verifies them, and the last builds that do are those of 0.1.0.dev0 from "
    "before {date}; compile the model again"
)
MODES = [(1, "clear", "2026-11-26"), (2, "committed", "2026-11-25")]


def of_mode(code: int, model: str) -> tuple[bytes, bytes]:
    """The submission of a model of sumcheck whose key has this byte."""
    key = b"INFSUMVK" + (1).to_bytes(4, "little") + bytes([code, 1]) + bytes(36)
    bundle = named_bundle(system="sumcheck", version="1", verifying_key=key)
    proof = {"system": "sumcheck"}
    return submission(id=model, proof=proof, bundle=encode_bundle(bundle))


@pytest.mark.parametrize(("byte", "mode", "date"), MODES)
async def test_models_of_a_mode_that_has_ended_are_taken_no_more(
    services: Services, monkeypatch: pytest.MonkeyPatch, byte: int, mode: str, date: str
) -> None:
    gateway, models = services.gateway, services.stores.models
    document, signature = of_mode(byte, "old")
    ended = ENDED.format(mode=mode, date=date)
    with rejects(Reason.MODE_ENDED, ended, kind=ArtifactRejected):
        await gateway.submit_model(document, signature)
    with pytest.raises(NotFound):
        await gateway.model("old")
    # As a build of before has kept it.
    with monkeypatch.context() as before:
        before.setattr(registry_room, "_check_mode", lambda _bundle: None)
        await gateway.submit_model(document, signature)
    with rejects(Reason.MODE_ENDED, ended, kind=ArtifactRejected):
        await gateway.approve("old@1.0.0")
    assert (await gateway.model("old")).status is ModelStatus.PENDING
    await gateway.submit_model(*of_mode(3, "good"))
    for name in ("old@1.0.0", "good@1.0.0"):
        await models.set_status(name, ModelStatus.ACTIVE, now=1)

    assert await gateway._registry.suspend_ended() == ["old@1.0.0"]
    assert (await gateway.model("old")).status is ModelStatus.SUSPENDED
    for name in ("good", "sample"):
        assert (await gateway.model(name)).status is ModelStatus.ACTIVE
    # Once more there is nothing to do.
    assert await gateway._registry.suspend_ended() == []


async def test_all_models_of_a_mode_that_has_ended_are_found(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that are beyond the first page of a list."""
    names = [f"old-{number}" for number in range(3)]
    monkeypatch.setattr(registry_room, "_PAGE", 2)
    with monkeypatch.context() as before:
        before.setattr(registry_room, "_check_mode", lambda _bundle: None)
        for number, name in enumerate(names):
            await services.gateway.submit_model(*of_mode(1 + number % 2, name))
    for name in names:
        await services.stores.models.set_status(f"{name}@1.0.0", ModelStatus.ACTIVE, now=1)
    suspended = await services.gateway._registry.suspend_ended()
    assert sorted(suspended) == [f"{name}@1.0.0" for name in names]
