// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice One EIP-3009 transfer as its payer signed it: the arguments of
/// `transferWithAuthorization`, in its order.
struct Authorization {
    address payer;
    address payee;
    uint256 value;
    uint256 validAfter;
    uint256 validBefore;
    bytes32 nonce;
    uint8 v;
    bytes32 r;
    bytes32 s;
}

/// @title Settles many EIP-3009 authorizations in one transaction, each on its own.
/// @notice A bad item is refused alone: whatever it does, the items beside it settle as if it were
/// not there. Anyone may call; payee and amount are those that the payer signed.
/// @dev Has no owner, no storage, no value and no rights over any token, so a reentrant call finds
/// nothing to gain. Each outcome is emitted after the token's own events: the token's `Transfer`
/// still directly follows its `AuthorizationUsed`.
///
/// Gas. `itemGas` is kept back for every item that is still to come. An item may use up to twice
/// as much, when that leaves the others theirs: the first transfer to a payee costs more than
/// those after it, and which item is the first to succeed cannot be known before. An item that
/// burns all it is given, as a contract wallet that checks its own signature can, leaves the others
/// their shares. A transaction that brings `items * (itemGas + ITEM_OVERHEAD)` for the loop has all
/// the shares; what it brings beyond is for new payees, and each burner can take one `itemGas` of
/// it. Never estimate a batch: with too little gas it does nothing and succeeds, so that an
/// estimate finds the least gas under which nothing is tried.
contract BatchSettler {
    /// @notice Most items in a batch. At 80,000 gas each, share, overhead and call data together,
    /// 200 just fit the 2^24 gas that EIP-7825 allows one transaction.
    uint256 public constant MAX_ITEMS = 200;

    /// @notice Gas for what surrounds the call of one item: reading it, the call's own price, and
    /// the longer of the two events.
    uint256 public constant ITEM_OVERHEAD = 6_500;

    /// @notice Bytes kept of what a token reverts with: enough for a message of 64 characters or a
    /// custom error with four words. A bound, so that long revert data costs the others nothing.
    uint256 public constant MAX_REASON = 132;

    /// @notice The token accepted the authorization: its call did not revert.
    /// @dev Proof of payment are the token's own two events, never this one: any contract can be
    /// named as a token.
    event Settled(address indexed token, address indexed payer, bytes32 indexed nonce);

    /// @notice The token refused the authorization, which stays as it was.
    /// @param reason The beginning of what the token reverted with. Empty for a revert without
    /// data, and for an item that used up the gas it was given.
    event Refused(
        address indexed token, address indexed payer, bytes32 indexed nonce, bytes reason
    );

    /// @notice The gas did not suffice for one more item: those from number `tried` on were left
    /// alone, and can be sent again.
    event Stopped(address indexed token, uint256 tried);

    /// @notice A batch holds 1 to `MAX_ITEMS` items.
    error WrongItemCount(uint256 count);

    /// @notice There is no contract at the token's address.
    error NotAToken(address token);

    /// @notice Appears as the reason of an item that would pay this contract, from which nothing
    /// can ever be taken out.
    error PayeeIsBatchSettler();

    /// @notice Settles every item that the token accepts.
    /// @param token The EIP-3009 token that all items are for.
    /// @param itemGas Gas that is kept back for the token's call of each item: what one transfer
    /// takes to a payee who holds some of the token, when it is the first in its transaction.
    /// @param items The authorizations. An item that appears twice settles once.
    /// @return settled How many items the token accepted.
    function settle(IERC3009 token, uint32 itemGas, Authorization[] calldata items)
        external
        returns (uint256 settled)
    {
        uint256 count = items.length;
        require(count != 0 && count <= MAX_ITEMS, WrongItemCount(count));
        require(address(token).code.length != 0, NotAToken(address(token)));
        // Nothing here can overflow: 200 items at most, and four bytes of gas for each.
        unchecked {
            uint256 share = itemGas + ITEM_OVERHEAD;
            // A call gets 63 of 64 parts of what is left at most (EIP-150), and starts with less
            // than was asked for: a sender could make items fail by saving gas.
            uint256 last = share + itemGas / 63;
            uint256 later = (count - 1) * share;
            for (uint256 i = 0; i < count; ++i) {
                uint256 left = gasleft();
                if (left < last) {
                    emit Stopped(address(token), i);
                    return settled;
                }
                uint256 spare = left > last + later ? left - last - later : 0;
                uint256 budget = itemGas + Math.min(spare, itemGas);
                if (_settleOne(token, budget, items[i])) ++settled;
                later -= share;
            }
        }
    }

    /// @return Whether the token accepted the item.
    function _settleOne(IERC3009 token, uint256 budget, Authorization calldata item)
        private
        returns (bool)
    {
        if (item.payee == address(this)) {
            _refuse(token, item, abi.encodePacked(PayeeIsBatchSettler.selector));
            return false;
        }
        try token.transferWithAuthorization{gas: budget}(
            item.payer,
            item.payee,
            item.value,
            item.validAfter,
            item.validBefore,
            item.nonce,
            item.v,
            item.r,
            item.s
        ) {
            emit Settled(address(token), item.payer, item.nonce);
            return true;
        } catch {
            _refuse(token, item, _revertData());
            return false;
        }
    }

    function _refuse(IERC3009 token, Authorization calldata item, bytes memory reason) private {
        emit Refused(address(token), item.payer, item.nonce, reason);
    }

    /// @return reason The beginning of what the last call reverted with. Solidity's own way to
    /// catch it copies everything, at this contract's cost.
    function _revertData() private pure returns (bytes memory reason) {
        uint256 limit = MAX_REASON;
        assembly ("memory-safe") {
            let size := returndatasize()
            if gt(size, limit) { size := limit }
            reason := mload(0x40)
            mstore(reason, size)
            returndatacopy(add(reason, 32), 0, size)
            mstore(0x40, and(add(add(reason, 63), size), not(31)))
        }
    }
}
