// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What the market's contracts tell, in one place.
library Events {
    /// @notice A registration may be made from `ready` on. What it is of is not to be seen.
    event Sealed(bytes32 indexed digest, uint256 ready);

    /// @notice A version of a model is there. The first one's commitment names the model.
    event VersionRegistered(
        bytes32 indexed model, bytes32 indexed commitment, address indexed owner, uint256 number
    );

    /// @notice What a call to the version costs in a token from now on; nothing is taken in it where it is
    /// not accepted.
    event PriceSet(
        bytes32 indexed commitment, address indexed token, uint256 amount, bool accepted
    );

    /// @notice The version is offered from now on, or is not.
    event ActiveSet(bytes32 indexed commitment, bool active);

    /// @notice The owner offers the model to somebody, or to nobody any more (the zero address).
    event ModelOffered(bytes32 indexed model, address indexed owner, address indexed to);

    /// @notice The model was accepted, and belongs to somebody else.
    event ModelTransferred(bytes32 indexed model, address indexed from, address indexed to);

    // -- verifiers -----------------------------------------------------------------------------

    /// @notice A verifier stands behind a selector from now on.
    event VerifierAdded(
        bytes4 indexed selector,
        address indexed adapter,
        uint256 gasCap,
        bytes32 specificationDigest,
        uint8 assurance,
        string system
    );

    /// @notice A verifier has ended, and its selector is never used again.
    event VerifierRetired(bytes4 indexed selector);

    // -- revenue -------------------------------------------------------------------------------

    /// @notice The payee has the money. Nothing is paid under the payer's id again.
    event PaidOut(
        address indexed payer, bytes32 indexed id, address indexed to, address token, uint256 amount
    );

    /// @notice The token did not pass the money on: it waits for the payee here. Nothing is paid under the
    /// payer's id again.
    event PayoutCredited(
        address indexed payer, bytes32 indexed id, address indexed to, address token, uint256 amount
    );

    /// @notice The payee took out what waited.
    event CreditClaimed(
        address indexed payee, address indexed token, address indexed to, uint256 amount
    );
}
