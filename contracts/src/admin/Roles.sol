// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The market's roles, beside that of its administrator.
library Roles {
    /// @notice Sets fee, least score, bond factor and tokens.
    bytes32 internal constant PARAMETERS = keccak256("inferproof parameters");
    /// @notice Stops and resumes new orders and acceptances.
    bytes32 internal constant PAUSER = keccak256("inferproof pauser");
    /// @notice Authorises and removes servers.
    bytes32 internal constant ADMISSION = keccak256("inferproof admission");
    /// @notice Takes the market's fees out of escrows.
    bytes32 internal constant FEES = keccak256("inferproof fees");
    /// @notice Tells the reputation what became of orders: escrows, and nobody else.
    bytes32 internal constant RECORDER = keccak256("inferproof recorder");
}
