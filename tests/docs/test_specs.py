"""The specifications say what the code does: types, claims, sentences, steps and reasons."""

import re
from pathlib import Path

import pytest

from inferproof.errors import Reason
from inferproof.protocol import commitments
from inferproof.protocol.authorization import TRANSFER_WITH_AUTHORIZATION
from inferproof.protocol.claims import INPUT_RANGE, PROVES_EXECUTION, derive_claims, proven_sentence
from inferproof.protocol.eip712 import Struct
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.input_opening import ATTEMPTS_TAG
from inferproof.protocol.input_opening import FORMAT as INPUT_OPENING_FORMAT
from inferproof.protocol.opening import FORMAT as OPENING_FORMAT
from inferproof.protocol.passes import PASS_CLAIM
from inferproof.protocol.proof_file import FORMAT as PROOF_FORMAT
from inferproof.protocol.proof_file import PRIVATE_FORMAT as PRIVATE_PROOF_FORMAT
from inferproof.protocol.quote import QUOTE
from inferproof.protocol.receipt import FORMAT as RECEIPT_FORMAT
from inferproof.protocol.receipt import PRIVATE_FORMAT as PRIVATE_RECEIPT_FORMAT
from inferproof.protocol.receipt import SETTLEMENT, receipt_struct
from inferproof.protocol.registration import REGISTRATION
from inferproof.protocol.revenue import (
    RECEIVE_WITH_AUTHORIZATION,
    funding_nonce,
    ledger_digest,
    payout_id,
)
from inferproof.protocol.statement import PRIVATE_STATEMENT, STATEMENT
from inferproof.protocol.transfer import TRANSFER_CLAIM
from inferproof.protocol.verifier_bundle import FORMAT as BUNDLE_FORMAT
from inferproof.testing.samples import PAYMENTS, SETTLED, Sample, TransferSample, sample_bundle
from inferproof.types.digest import Address
from inferproof.types.money import Asset, Network
from inferproof.types.payment import Settlement, SettlementState
from inferproof.types.proof import Assurance, ModelParts, Setup, Visibility
from inferproof.types.receipt import ClaimSource, ClaimStatus
from inferproof.verify import proof as verify_proof_module
from inferproof.verify import receipt as verify_receipt_module

ROOT = Path(__file__).resolve().parents[2]
STATEMENT_MD = (ROOT / "specs/statement.md").read_text(encoding="utf-8")
RECEIPT_MD = (ROOT / "specs/receipt.md").read_text(encoding="utf-8")
TRANSFER_MD = (ROOT / "specs/transfer.md").read_text(encoding="utf-8")
REGISTRY_MD = (ROOT / "specs/registry.md").read_text(encoding="utf-8")
PAYOUTS_MD = (ROOT / "specs/payouts.md").read_text(encoding="utf-8")
ACCESS_MD = (ROOT / "specs/access.md").read_text(encoding="utf-8")
BOTH = STATEMENT_MD + RECEIPT_MD + TRANSFER_MD + REGISTRY_MD + PAYOUTS_MD + ACCESS_MD
TYPES = dict(re.findall(r"```eip712 (\w+)\n(.+)\n```", BOTH))
STRUCTS = [
    *(STATEMENT, PRIVATE_STATEMENT, QUOTE, TRANSFER_WITH_AUTHORIZATION, SETTLEMENT),
    receipt_struct(PAYMENTS["exact"].form, private_input=True),
    *(
        TRANSFER_CLAIM,
        PASS_CLAIM,
        REGISTRATION,
        RECEIVE_WITH_AUTHORIZATION,
        *(receipt_struct(part.form) for part in PAYMENTS.values()),
    ),
]
PREFIXES = (
    *("JSON", "FIELD", "DOCUMENT", "ARTIFACT", "PROOF", "QUOTE", "PAYMENT", "RECEIPT"),
    *(
        "POLICY",
        "REGISTRY",
        "SIGNATURE",
        "NETWORK",
        "MISSING",
        "CLAIM",
        "TX",
        "TRANSFER",
        "TRANSFERS",
        "PASS",
        "PASSES",
    ),
)
ALL_PARTS = [
    sample_bundle(system=system, visibility=visibility, setup=setup, srs=b"srs").parts
    for system in ("ezkl", "sample")
    for visibility in Visibility
    for setup in Setup
]


def _flat(text: str) -> str:
    return " ".join(text.split())


def _section(text: str, title: str) -> str:
    found = re.search(rf"^## \d+\. {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def _reasons(text: str) -> set[str]:
    return {
        word
        for word in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", text)
        if word.partition("_")[0] in PREFIXES
    }


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.name)
def test_the_types_in_the_text_are_those_that_are_hashed(struct: Struct) -> None:
    assert keccak256(TYPES[struct.name].encode()) == struct.type_hash


def test_every_type_in_the_text_is_checked() -> None:
    assert set(TYPES) == {s.name for s in STRUCTS}


def test_every_reason_in_the_text_exists() -> None:
    assert [code for code in sorted(_reasons(BOTH)) if code not in Reason.__members__] == []


def test_every_reason_that_verification_gives_is_in_its_steps() -> None:
    sections = ("Verification of a proof", "Private inputs")
    steps = "".join(_section(STATEMENT_MD, title) for title in sections)
    steps += _section(RECEIPT_MD, "Verification of a receipt")
    named = _reasons(steps)
    for code in Reason.__members__:
        prefix = code.partition("_")[0]
        if prefix in ("RECEIPT", "POLICY", "PROOF") and code in _raised():
            assert code in named, code


def _raised() -> set[str]:
    sources = [*(ROOT / "src/inferproof/verify").glob("*.py")]
    sources += [*(ROOT / "src/inferproof/protocol").glob("*.py")]
    sources += [*(ROOT / "src/inferproof/payments").glob("*/receipt.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    return set(re.findall(r"Reason\.([A-Z_]+)", text))


def test_the_steps_are_numbered_alike_in_text_and_code() -> None:
    for text, module, title in (
        (STATEMENT_MD, verify_proof_module, "Verification of a proof"),
        (RECEIPT_MD, verify_receipt_module, "Verification of a receipt"),
    ):
        written = re.findall(r"^(\d+)\. ", _section(text, title), re.MULTILINE)
        drawn = re.findall(r"^ +(\d+)  \w", module.__doc__ or "", re.MULTILINE) or re.findall(
            r"^(\d+)  \w", module.__doc__ or "", re.MULTILINE
        )
        assert written == drawn == [str(n + 1) for n in range(len(written))]


@pytest.mark.parametrize("parts", ALL_PARTS)
def test_every_claim_stands_in_the_table_word_by_word(parts: ModelParts) -> None:
    rows: dict[str, list[list[str]]] = {}
    name = ""
    for line in _section(RECEIPT_MD, "Claims").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and set(cells[0]) != {"-"} and cells[0] != "name":
            name = cells[0].strip("`") or name
            rows.setdefault(name, []).append(cells[2:])
    for settlement in (SETTLED, Settlement(SettlementState.PENDING)):
        for sample, beyond in (
            (Sample(), 0),
            (Sample(nonce_salt=None), 1),
            (TransferSample(), 77),
            (TransferSample(), None),
        ):
            claims = derive_claims(parts, settlement, sample.claims(), out_of_range=beyond)
            named = [name for name in rows if beyond is not None or name != INPUT_RANGE]
            assert [c.name for c in claims] == named
            for claim in claims:
                reason = (
                    claim.reason.replace(parts.srs.hex, "⟨srs⟩")
                    .replace(
                        SETTLED.transaction.hex if SETTLED.transaction else "-", "⟨transaction⟩"
                    )
                    .replace("is pending", "is ⟨state⟩")
                    .replace("77", "⟨n⟩")
                )
                assert [claim.status.value, claim.source.value, reason] in rows[claim.name]
            private = derive_claims(parts, settlement, sample.claims(), private_input=True)
            assert [c.name for c in private] == [*rows]
            for claim in private[1:3]:
                told = [claim.status.value, claim.source.value, claim.reason]
                assert told == next(each for each in rows[claim.name] if each[0] == "unknown")


@pytest.mark.parametrize("parts", ALL_PARTS)
def test_every_sentence_is_made_of_the_text(parts: ModelParts) -> None:
    text = _flat(_section(RECEIPT_MD, "Assurance"))
    for assurance in Assurance:
        shown, private = (
            proven_sentence(assurance, parts, private_input=own) for own in (False, True)
        )
        pieces = re.split(
            rf"{parts.proof_system}|disclosed input|committed input|(?<=\.)(?= )",
            f"{shown} {private}",
        )
        for piece in pieces:
            assert piece.strip(" .,") in text, piece


def test_levels_statuses_and_sources_are_all_named() -> None:
    for value in (*Assurance, *ClaimStatus, *ClaimSource, *SettlementState):
        assert f"`{value.value}`" in RECEIPT_MD
    for value in (*Setup, *Visibility):
        assert f"`{value.value}`" in STATEMENT_MD
    systems = ", ".join(f"`{system}`" for system in sorted(PROVES_EXECUTION))
    assert f"whole inference: {systems}." in RECEIPT_MD


def test_tags_and_formats_are_those_of_the_code() -> None:
    tags = {value for name, value in vars(commitments).items() if name.endswith("_TAG")}
    assert len(tags) == 13
    formats = {PROOF_FORMAT, PRIVATE_PROOF_FORMAT, BUNDLE_FORMAT, OPENING_FORMAT}
    for text in tags | formats | {INPUT_OPENING_FORMAT, ATTEMPTS_TAG}:
        assert f"`{text}`" in STATEMENT_MD or f'"{text}"' in STATEMENT_MD
    for text in (RECEIPT_FORMAT, PRIVATE_RECEIPT_FORMAT):
        assert f"`{text}`" in RECEIPT_MD


def test_the_files_named_in_the_text_exist() -> None:
    for name in re.findall(r"`(\w+\.json)`", BOTH):
        assert (ROOT / "vectors" / name).is_file(), name


def test_the_example_of_a_payout() -> None:
    token, contract, payer = (Address(bytes([n]) * 20) for n in (0x11, 0x22, 0x33))
    asset = Asset(Network("eip155:31337"), token, "devUSDC", 6, "USD Coin (devnet)", "1")
    ledger = ledger_digest(asset, contract, payer)
    told = {
        "ledger": ledger,
        "id at position 3": payout_id(ledger, 7, 3),
        "nonce": funding_nonce(ledger, 7),
    }
    rows = re.findall(
        r"^\| (ledger|id at position 3|nonce) \| `(0x[0-9a-f]{64})` \|$", PAYOUTS_MD, re.M
    )
    assert dict(rows) == {name: value.hex for name, value in told.items()}
