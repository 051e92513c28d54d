// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order} from "./Order.sol";

/// @notice The state of an order. It ends in one of the last four, and stays there for ever.
enum OrderStatus {
    /// @dev Never made.
    None,
    /// @dev Its price is locked, and it waits for a server.
    Open,
    /// @dev A server has staked its bond, and owes a delivery.
    Accepted,
    /// @dev Delivered by the server that accepted it, in time.
    Paid,
    /// @dev Delivered after that time, by any server.
    Rescued,
    /// @dev Not delivered.
    Refunded,
    /// @dev Taken back before anybody accepted it.
    Cancelled
}

/// @title The EIP-712 hash of an order. Source: specs/escrow.md, section 2.
library OrderLib {
    bytes32 internal constant TYPE_HASH = keccak256(
        "Order(address buyer,address token,uint128 price,uint128 bond,bytes32 model,"
        "bytes32 inputCommitment,bytes32 inputs,bytes32 plan,address server,uint8 assurance,"
        "uint40 acceptBy,uint40 inputBy,uint40 deliverBy,uint40 rescueBy,bytes32 salt)"
    );

    /// @return The hashStruct of an order. Every field is a word, as it is in calldata: an order with bits
    /// beyond a field's type is refused there.
    function structHash(Order calldata order) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPE_HASH, order));
    }
}
