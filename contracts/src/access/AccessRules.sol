// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What a call costs whom: the one place that gateway and escrow ask.
interface AccessRules {
    /// @notice Whether a buyer may call a version now, and the least that has to be paid for it.
    /// @param plan Zero for a price per call, else a plan that the model's owner offers, or a pass or a pack
    /// that was bought of one.
    /// @return entitled Whether it may.
    /// @return price In the token's atomic units; zero where the plan has paid already, or it is free.
    function entitlement(address buyer, bytes32 commitment, address token, bytes32 plan)
        external
        view
        returns (bool entitled, uint256 price);

    /// @notice Takes what one call takes of a plan, by the same rule. Reverts where nothing is entitled.
    /// Only who may consume calls it.
    /// @return price As of `entitlement`.
    function consume(address buyer, bytes32 commitment, address token, bytes32 plan)
        external
        returns (uint256 price);

    /// @notice Gives back what a call took whose order was refunded. It calls nobody.
    function restore(address buyer, bytes32 commitment, bytes32 plan) external;
}
