// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What the market's contracts refuse, in one place.
library Errors {
    /// @notice The commitment belongs to a model already, and does for ever.
    error CommitmentTaken(bytes32 commitment, bytes32 model);

    /// @notice Nothing is registered under this commitment.
    error UnknownVersion(bytes32 commitment);

    /// @notice There is no model of this name.
    error UnknownModel(bytes32 model);

    /// @notice The model belongs to somebody else.
    error NotModelOwner(bytes32 model, address who);

    /// @notice The model was not offered to who would accept it.
    error NotOffered(bytes32 model, address who);

    /// @notice The signature is not the owner's over this registration, on this chain, for this contract.
    error BadRegistrationSignature(address owner);

    /// @notice The registration could be used until `deadline`.
    error RegistrationExpired(uint256 deadline);

    /// @notice The digest of the registration was not sealed before.
    error NotSealed(bytes32 digest);

    /// @notice The seal may be opened from `ready` on.
    error SealTooYoung(uint256 ready);

    /// @notice A commitment is not zero.
    error ZeroCommitment();

    /// @notice A verifying-key digest is not zero.
    error ZeroVerifyingKey();

    /// @notice The kinds of a commitment are some of those that are known, and one at least.
    error BadKinds(uint256 kinds);

    /// @notice Location and digest of the metadata come together, or neither.
    error MetadataIncomplete();

    /// @notice A text or a list is longer than it may be.
    error TooLong(uint256 length, uint256 limit);

    /// @notice There is no contract at the token's address.
    error NotAToken(address token);

    // -- revenue -------------------------------------------------------------------------------

    /// @notice The payer has paid under this id before, or names it twice.
    error AlreadyPaid(address payer, bytes32 id);

    /// @notice A payout has one item at least.
    error NoItems();

    /// @notice An item pays something, to somebody who can take it out again.
    error BadPayoutItem(bytes32 id);

    /// @notice The gas does not suffice for this item and whatever its transfer does.
    error PayoutGasTooLow(bytes32 id, uint256 left);

    /// @notice The token moved other amounts than it was asked to: it takes fees, or lies.
    error TokenNotExact(address token);

    /// @notice Nothing in this token waits for the payee.
    error NothingToClaim(address payee, address token);
}
