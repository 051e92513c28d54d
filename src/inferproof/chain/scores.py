"""The scores of many servers at once, as a reputation on a chain has them."""

from collections.abc import Mapping, Sequence

from inferproof.chain.abi import calldata, decode_values
from inferproof.chain.rpc import Rpc
from inferproof.errors import InferproofError, Misconfigured, Reason
from inferproof.types.digest import Address

SCORE = "score(address)"


class ReputationScores:
    """One reputation through one node. Implements services.models.ranking.Scores."""

    def __init__(self, rpc: Rpc, reputation: Address) -> None:
        self._rpc = rpc
        self._reputation = reputation

    async def ask(self, servers: Sequence[Address]) -> Mapping[Address, int]:
        """The score of each in the newest block, from 0 to 10,000; 0 for who never served.

        Raises: Misconfigured CHAIN_BAD_ANSWER; CallReverted; Unavailable CHAIN_UNREACHABLE,
        CHAIN_RPC_ERROR.
        """
        if not servers:
            return {}
        to = self._reputation.hex
        answers = await self._rpc.batch(
            [
                ("eth_call", ({"to": to, "data": "0x" + calldata(SCORE, each).hex()}, "latest"))
                for each in servers
            ]
        )
        return {each: self._read(answer) for each, answer in zip(servers, answers, strict=True)}

    def _read(self, answer: object) -> int:
        if isinstance(answer, InferproofError):
            raise answer
        try:
            data = bytes.fromhex(str(answer)[2:])
        except ValueError:
            data = b""
        values = decode_values(["uint256"], data)
        if values is None:
            raise Misconfigured(
                Reason.CHAIN_BAD_ANSWER,
                address=self._reputation,
                call=SCORE,
                got=len(data),
                expected="a score",
            )
        return int(values[0])
