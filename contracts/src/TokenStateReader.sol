// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";

/// @notice Whose balance is asked for, and which nonce of theirs.
struct PayerKey {
    address payer;
    bytes32 nonce;
}

/// @title Asks a token about many payers at once, and is never deployed.
/// @notice Its creation code is the data of an `eth_call` that names no contract. The constructor
/// asks, and returns the answers where a constructor returns code. Any node can be asked so, and
/// all answers are of one block.
/// @dev What it returns are words: how many payers it was asked about, then for each the balance,
/// and a word of flags: `USED` where the nonce is used up, `HAS_CODE` where the payer's account has
/// code, be it a contract wallet's or an EIP-7702 delegation's. The count comes first because code
/// may not begin with 0xEF (EIP-3541). At 64 bytes for each, 256 payers stay within the limits of code (EIP-170) and of
/// creation code (EIP-3860).
contract TokenStateReader {
    /// @notice Flag: the nonce is used up.
    uint256 internal constant USED = 1;

    /// @notice Flag: the account has code, which a token may ask whether a signature holds
    /// (EIP-1271).
    uint256 internal constant HAS_CODE = 2;

    /// @notice The token answered with `size` bytes, which are not one word. No bytes: it may be no
    /// contract at all.
    error BadAnswer(uint256 size);

    constructor(address token, PayerKey[] memory keys) {
        uint256[] memory words = new uint256[](1 + 2 * keys.length);
        words[0] = keys.length;
        for (uint256 i = 0; i < keys.length; ++i) {
            PayerKey memory key = keys[i];
            words[2 * i + 1] = _ask(token, abi.encodeCall(IERC20.balanceOf, (key.payer)));
            bytes memory question =
                abi.encodeCall(IERC3009.authorizationState, (key.payer, key.nonce));
            uint256 flags = _ask(token, question) == 0 ? 0 : USED;
            if (key.payer.code.length != 0) flags |= HAS_CODE;
            words[2 * i + 2] = flags;
        }
        assembly ("memory-safe") {
            return(add(words, 32), mul(mload(words), 32))
        }
    }

    /// @return The one word that the token answers. What it reverts with is passed on.
    function _ask(address token, bytes memory question) private view returns (uint256) {
        (bool success, bytes memory answer) = token.staticcall(question);
        if (!success) LowLevelCall.bubbleRevert(answer);
        require(answer.length == 32, BadAnswer(answer.length));
        return abi.decode(answer, (uint256));
    }
}
