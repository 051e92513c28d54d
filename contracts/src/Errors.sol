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

    // -- access --------------------------------------------------------------------------------

    /// @notice There is no plan of this name.
    error UnknownPlan(bytes32 plan);

    /// @notice The model has a plan of these terms already.
    error PlanExists(bytes32 plan);

    /// @notice What the terms of a plan say does not belong together (`PlanTermsLib.check`).
    error BadPlan();

    /// @notice The plan is of another kind than what was asked of it.
    error WrongPlanKind(bytes32 plan);

    /// @notice The plan is not offered now.
    error PlanClosed(bytes32 plan);

    /// @notice The plan costs more than the buyer gives.
    error PriceAbove(uint256 price, uint256 limit);

    /// @notice The token moved another amount than the price: it takes a fee, or lies.
    error PurchaseNotExact(address token, uint256 expected, uint256 received);

    /// @notice A pass that is the buyer's alone changes hands only by being given back.
    error Soulbound(bytes32 right);

    /// @notice Nobody bought this, or it was given back.
    error UnknownPurchase(bytes32 right);

    /// @notice Who would give it back has not bought it, or holds it no more.
    error NotThePurchaser(bytes32 right, address who);

    /// @notice What was bought could be given back before `end`.
    error RefundOver(bytes32 right, uint256 end);

    /// @notice What was used is not taken back.
    error AlreadyUsed(bytes32 right, uint256 calls);

    /// @notice The subscriber has paid until `paidUntil`.
    error StillPaid(bytes32 plan, address subscriber, uint256 paidUntil);

    /// @notice The subscriber allows no renewal now: none is left, their time is over, or the subscription
    /// lapsed too long ago.
    error NotRenewable(bytes32 plan, address subscriber);

    /// @notice The account has no money in this token here.
    error NothingEarned(address account, address token);

    /// @notice Who may consume was named by the owner, and this is not one of them.
    error NotAConsumer(address who);

    /// @notice The buyer may not call the version by this plan now.
    error NotEntitled(address buyer, bytes32 commitment, bytes32 plan);
}
