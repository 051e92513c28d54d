// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What the word of a verifier is worth, the more the higher.
library Assurance {
    /// @dev Somebody has bound themselves to an answer, and can be held to it.
    uint8 internal constant COMMITMENT = 1;
    /// @dev Validators with the threshold of stake have agreed on it.
    uint8 internal constant QUORUM = 2;
    /// @dev A proof shows it. Weights may follow from proofs.
    uint8 internal constant ZK_INTEGRITY = 3;
    /// @dev A proof shows it, and hides the weights.
    uint8 internal constant ZK_PRIVATE = 4;
}
