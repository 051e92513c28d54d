"""A contract that makes many transfers in one transaction, as a router or a payroll does."""

from inferproof.chain.abi import calldata
from inferproof.chain.answers import ChainReceipt
from inferproof.chain.contracts import ContractArtifact, deploy
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address

CALL_BYTES = 100
"""transferFrom(address,address,uint256): a selector and three words."""


def _spender() -> bytes:
    """Calls the token in the first word once for each 100 bytes that follow; reverts if one does.

    0x00 PUSH1 32                 at which byte of the call data
    0x02 JUMPDEST                 while it is before the end:
         copy 100 bytes from there, call the token with them, revert where that failed,
         100 bytes on
    """
    loop, end, fail = 0x02, 0x29, 0x2B
    code = bytes.fromhex(
        f"6020 5b 36 81 10 15 60{end:02x} 57"  # at; at < size, or else end
        "6064 81 6000 37"  # memory[0:100] = data[at:at+100]
        "6000 6000 6064 6000 6000 6000 35 5a f1"  # call(gas, token, 0, 0, 100, 0, 0)
        f"15 60{fail:02x} 57"
        f"6064 01 60{loop:02x} 56"
        "5b 00"
        "5b 6000 6000 fd"
    )
    assert code[loop] == code[end] == code[fail] == 0x5B, code.hex()
    return code


async def deploy_spender(rpc: Rpc, key: SigningKey) -> Address:
    """The address of a new one. Payers approve it first."""
    code = _spender()
    # PUSH1 size, DUP1, PUSH1 11, PUSH1 0, CODECOPY, PUSH1 0, RETURN
    init = bytes([0x60, len(code), 0x80, 0x60, 11, 0x60, 0, 0x39, 0x60, 0, 0xF3])
    return await deploy(rpc, ContractArtifact("Spender", [], init + code, b"", {}), key)


async def transfers_at_once(
    rpc: Rpc,
    key: SigningKey,
    spender: Address,
    token: Address,
    moves: list[tuple[Address, Address, int]],
) -> ChainReceipt:
    """One transaction that makes these transfers: payer, payee, amount."""
    calls = [calldata("transferFrom(address,address,uint256)", *move) for move in moves]
    assert all(len(call) == CALL_BYTES for call in calls)
    data = bytes(12) + token.raw + b"".join(calls)
    return await transact(rpc, key, to=spender, data=data, what="transfers")
