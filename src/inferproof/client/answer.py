"""What a buyer gets: an offer before it pays, an answer after."""

from dataclasses import dataclass, field
from pathlib import Path

from inferproof.protocol.input_opening import InputOpening
from inferproof.protocol.receipt import encode_receipt_file
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Quote
from inferproof.types.proof import UNTOLD, ToldProof
from inferproof.types.receipt import ReceiptFile
from inferproof.types.tensor import FixedTensor
from inferproof.verify.receipt import Step


@dataclass(frozen=True, slots=True)
class Offer:
    """A gateway's signed offer for one request. Nothing was paid or signed for it.

    `proof` is what it says of the proof that it will make, and is not signed: the receipt shows it.
    """

    quote: Quote
    gateway: Address
    request: Digest
    proof: ToldProof = UNTOLD


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A paid answer.

    `outputs` are the proven integers and their scale, from the proof itself. `label` is the name
    of the class or of the largest output, and `labels` those of each output: the model's
    commitment binds them. `opening` is that of a private input, and a secret: with it, whoever has
    the input can show what the proof is about. `verified` is true when the
    receipt with its proof was verified here, `steps` are what was checked. Units: `timings` in
    seconds, by stage, as the gateway states them.
    """

    job_id: Digest
    outputs: tuple[FixedTensor, ...]
    label: str | None
    verified: bool
    receipt_file: ReceiptFile = field(repr=False)
    steps: tuple[Step, ...] = field(default=(), repr=False)
    timings: dict[str, float] = field(default_factory=dict)
    labels: tuple[tuple[str, ...], ...] = ()
    opening: InputOpening | None = field(default=None, repr=False)

    def save_receipt(self, path: Path | str) -> Path:
        """The path of the written receipt file, which holds all that its verification needs."""
        target = Path(path)
        target.write_bytes(encode_receipt_file(self.receipt_file))
        return target
