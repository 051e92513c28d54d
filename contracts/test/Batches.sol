// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {Authorizations} from "./Authorizations.sol";
import {DevnetUSD} from "../src/DevnetUSD.sol";
import {Authorization as Item, BatchSettler} from "../src/BatchSettler.sol";

/// @dev The cheatcodes that record events.
interface Recorder {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory logs);
}

/// @dev Makes signed items, and reads what a batch did from its events.
abstract contract Batches is Authorizations {
    Recorder internal constant recorder = Recorder(address(vm));
    bytes32 internal constant MOVED = keccak256("Transfer(address,address,uint256)");
    uint256 internal constant NOW = 1_800_000_000;
    uint32 internal constant ITEM_GAS = 42_500;

    function signed(DevnetUSD token, uint256 key, Authorization memory a)
        internal
        view
        returns (Item memory)
    {
        bytes32 digest = digestOf(domainOf(address(token), "1"), hashOf(TRANSFER, a));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return Item(a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, v, r, s);
    }

    /// @dev What the batch's events say of each item, in their order: settled or refused.
    function outcomes(address batch, Recorder.Log[] memory logs)
        internal
        pure
        returns (bytes32[] memory nonces, bool[] memory settled, uint256 count)
    {
        nonces = new bytes32[](logs.length);
        settled = new bool[](logs.length);
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != batch || logs[i].topics[0] == BatchSettler.Stopped.selector) {
                continue;
            }
            nonces[count] = logs[i].topics[3];
            settled[count++] = logs[i].topics[0] == BatchSettler.Settled.selector;
        }
    }

    /// @dev How often the token's `Transfer` directly follows its use of the nonce.
    function paid(address token, bytes32 nonce, Recorder.Log[] memory logs)
        internal
        pure
        returns (uint256 times)
    {
        for (uint256 i = 0; i + 1 < logs.length; ++i) {
            if (
                logs[i].emitter == token && logs[i + 1].emitter == token
                    && logs[i].topics[0] == IERC3009.AuthorizationUsed.selector
                    && logs[i].topics[2] == nonce && logs[i + 1].topics[0] == MOVED
            ) ++times;
        }
    }
}

/// @dev A token that does with each authorization what its nonce says, and moves nothing.
contract TrickyToken {
    enum Trick {
        ACCEPT,
        REVERT_SILENTLY,
        REVERT_WITH_A_WORD,
        REVERT_AT_LENGTH,
        BURN_ALL_GAS,
        BURN_AND_REVERT_AT_LENGTH,
        RETURN_AT_LENGTH,
        INVALID_OPCODE,
        REENTER
    }

    error Refuse(uint256 why);

    mapping(uint256 slot => uint256 value) private store;

    function transferWithAuthorization(
        address,
        address,
        uint256,
        uint256,
        uint256,
        bytes32 nonce,
        uint8,
        bytes32,
        bytes32
    ) external {
        Trick trick = Trick(uint8(nonce[0]));
        if (trick == Trick.ACCEPT) return;
        if (trick == Trick.REVERT_SILENTLY) {
            assembly ("memory-safe") { revert(0, 0) }
        }
        if (trick == Trick.REVERT_WITH_A_WORD) revert Refuse(7);
        if (trick == Trick.REVERT_AT_LENGTH) {
            assembly { revert(0, 100000) }
        }
        if (trick == Trick.BURN_ALL_GAS) {
            for (uint256 i = 1;; ++i) {
                store[i] = i;
            }
        }
        if (trick == Trick.BURN_AND_REVERT_AT_LENGTH) {
            while (gasleft() > 250) {}
            assembly { revert(0, 132) }
        }
        if (trick == Trick.RETURN_AT_LENGTH) {
            assembly { return(0, 100000) }
        }
        if (trick == Trick.INVALID_OPCODE) {
            assembly ("memory-safe") { invalid() }
        }
        Item[] memory items = new Item[](1);
        items[0].nonce = bytes32(uint256(1));
        BatchSettler(msg.sender).settle(IERC3009(address(this)), 2_000, items);
    }
}
