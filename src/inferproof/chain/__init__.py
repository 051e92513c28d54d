"""The EVM chain: an adapter over web3, the contracts we ship, and where they are deployed.

rpc           one node: typed calls with a time limit each
abi           call data, return words, reasons of reverts
transactions  sign, send, wait, deploy
contracts     ABI and bytecode that come with the package
token         an EIP-3009 dollar token: what a settler needs, and the check at start
batch         many authorizations in one transaction, each settled on its own
verifier      the reusable ezkl verifier
verifier_router  the one contract that others ask about proofs
deployments   one file of addresses for each network
"""

import sys
from importlib.util import find_spec

from inferproof.errors import MissingPart, Reason

for _package in ("web3", "eth_account", "eth_abi"):
    if find_spec(_package) is None:  # the base install buys and verifies without a chain
        raise MissingPart(
            Reason.MISSING_LIBRARY,
            feature="the chain",
            package=_package,
            command='pip install "inferproof[chain]"',
        )

# py_ecc, which eth_account imports, raises the recursion limit beyond what the C stack bears:
# deeply nested JSON would then end the process instead of raising RecursionError. Whoever imported
# it first, the limit is no higher than what a stack of 8 MB bears.
MAX_RECURSION = 10_000
_limit = min(sys.getrecursionlimit(), MAX_RECURSION)
import py_ecc  # noqa: E402, F401

sys.setrecursionlimit(_limit)
