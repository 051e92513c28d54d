"""What a verifier trusts, apart from how it verifies."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from inferproof.errors import PolicyRejected, Reason
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Network
from inferproof.types.proof import Assurance, ModelParts, SecurityReport, Setup
from inferproof.types.receipt import Receipt

PROFILES = {"default": 0, "evm": 0, "conservative": 1}
"""By what soundness rests on: list decoding up to the Johnson bound, or unique decoding."""

T = TypeVar("T")

_STRENGTH = {level: rank for rank, level in enumerate(Assurance)}


@dataclass(frozen=True, slots=True)
class Policy:
    """What the verifying person accepts. None stands for anything.

    `ceremonies` are the digests of SRS files whose ceremony the person trusts; where there are
    any, or with `require_ceremony`, every other set-up is refused. `minimum_profile` and
    `minimum_bits` are the least security profile, in the order of PROFILES, and provable bits of a
    model's proofs; where one is given, proofs of a system that reports none are refused.
    """

    gateways: frozenset[Address] | None = None
    models: frozenset[Digest] | None = None
    networks: frozenset[Network] | None = None
    tokens: frozenset[Address] | None = None
    minimum_assurance: Assurance = Assurance.ZK_INTEGRITY
    require_ceremony: bool = False
    ceremonies: frozenset[Digest] = field(default_factory=frozenset)
    minimum_profile: str | None = None
    minimum_bits: float | None = None

    def check_receipt(self, receipt: Receipt) -> None:
        """Returns when gateway, model, network, token and assurance are accepted.

        Raises: PolicyRejected POLICY_GATEWAY, POLICY_MODEL, POLICY_NETWORK, POLICY_TOKEN,
        POLICY_ASSURANCE.
        """
        if self.gateways is not None and receipt.gateway not in self.gateways:
            raise PolicyRejected(Reason.POLICY_GATEWAY, gateway=receipt.gateway)
        self.check_model(receipt.statement.model_commitment, receipt.assurance)
        network = receipt.payment.asset.network
        if self.networks is not None and network not in self.networks:
            raise PolicyRejected(Reason.POLICY_NETWORK, network=network)
        token = receipt.payment.asset.address
        if self.tokens is not None and token not in self.tokens:
            raise PolicyRejected(Reason.POLICY_TOKEN, token=token)

    def check_model(self, model: Digest, assurance: Assurance) -> None:
        """Returns when model and assurance are accepted.

        Raises: PolicyRejected POLICY_MODEL, POLICY_ASSURANCE.
        """
        self.check_named(model)
        if _STRENGTH[assurance] < _STRENGTH[self.minimum_assurance]:
            raise PolicyRejected(
                Reason.POLICY_ASSURANCE,
                got=assurance.value,
                minimum=self.minimum_assurance.value,
            )

    def check_named(self, model: Digest) -> None:
        """Returns when the model is accepted by its commitment. Raises: PolicyRejected
        POLICY_MODEL."""
        if self.models is not None and model not in self.models:
            raise PolicyRejected(Reason.POLICY_MODEL, model=model)

    def check_setup(self, parts: ModelParts) -> None:
        """Returns when the set-up is accepted. Raises: PolicyRejected POLICY_SETUP."""
        if parts.setup is Setup.NONE or not (self.require_ceremony or self.ceremonies):
            return
        if parts.setup is not Setup.CEREMONY or parts.srs not in self.ceremonies:
            raise PolicyRejected(Reason.POLICY_SETUP, setup=parts.setup.value, srs=parts.srs)

    def check_security(self, report: SecurityReport | None) -> None:
        """Returns when profile and provable bits are accepted.

        Raises: PolicyRejected POLICY_SECURITY.
        """
        profile = None if report is None else report.profile
        bits = None if report is None else report.provable_bits
        _require("profile", profile, self.minimum_profile, PROFILES.get)
        _require("provable bits", bits, self.minimum_bits, lambda value: value)


def _require(
    what: str, got: T | None, minimum: T | None, rank: Callable[[T], float | None]
) -> None:
    """Returns when a value ranks as high as its minimum; one without a rank does not."""
    if minimum is None:
        return
    reached, wanted = None if got is None else rank(got), rank(minimum)
    if reached is None or wanted is None or reached < wanted:
        shown = "unknown" if got is None else f"{got:.1f}" if isinstance(got, float) else got
        raise PolicyRejected(Reason.POLICY_SECURITY, what=what, got=shown, minimum=minimum)
