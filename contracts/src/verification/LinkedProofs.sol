// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev A link between commitments, as `LinkedProofs` takes it: its program, what it leads to, what the program is
/// given of it, and its opening; the last two may be empty where the link is kept.
struct LinkCall {
    bytes32 program;
    bytes32 commitment;
    bytes given;
    bytes opening;
}

/// @title What is asked of `sumcheck/PrivateProofs.sol`, written again so that who asks is not compiled as it is.
interface LinkedProofs {
    /// @notice Reverts unless links and proof are accepted by these programs; keeps the links.
    /// @param program The digest of the program of proofs.
    /// @param chain What stands for the programs of the links.
    function checkWithLinks(
        bytes32 program,
        bytes32 chain,
        LinkCall[] calldata links,
        bytes calldata given,
        bytes calldata proof
    ) external;
}
