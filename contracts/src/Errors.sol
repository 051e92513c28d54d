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

    // -- verifiers -----------------------------------------------------------------------------

    /// @notice Nothing ever stood behind this selector.
    error UnknownVerifier(bytes4 selector);

    /// @notice The verifier behind this selector has ended.
    error VerifierIsRetired(bytes4 selector);

    /// @notice Something stands behind this selector, or did.
    error SelectorTaken(bytes4 selector);

    /// @notice The selector zero says that no contract checks a model's proofs.
    error ZeroSelector();

    /// @notice There is no code at this address, or an account that can change it.
    error NotAVerifier(address adapter);

    /// @notice A verifier is given gas.
    error ZeroGasCap();

    /// @notice The digest of a specification is not zero.
    error ZeroSpecification();

    /// @notice An assurance is from 1 to 4.
    error BadAssurance(uint8 assurance);

    /// @notice A proof system has a name.
    error NoSystem();

    /// @notice The caller has left less gas than the verifier is to be given.
    error TooLittleGas(bytes4 selector, uint256 left, uint256 needed);

    /// @notice The verifier has reverted, for this reason, which is cut, or without one, as when its gas is used up.
    error VerifierReverted(bytes4 selector, bytes reason);

    /// @notice The verifier has answered so many bytes that begin with this word.
    error WrongAnswer(bytes4 selector, uint256 size, bytes32 answer);

    /// @notice What was brought makes up another key than the claim's.
    error OtherKey(bytes32 key);

    /// @notice The numbers that were brought are other inputs than the claim's.
    error OtherInputs(bytes32 inputs);

    /// @notice The claim has so many outputs, the key as many as are expected.
    error OutputCount(uint256 count, uint256 expected);

    /// @notice An output has another name, shape, scale or length than the key says.
    error OtherOutput(uint256 place);

    /// @notice What is to stand before an output's values is no head of a tensor.
    error BadHead(uint256 place);

    /// @notice A value of an output is none that the proof system has.
    error OutputOutOfRange(uint256 place);

    /// @notice A number of the input is none that the proof system has.
    error InputOutOfRange(uint256 place);

    /// @notice What was brought is shorter than what it has to begin with.
    error ProofTooShort(uint256 length, uint256 least);

    /// @notice What says which epoch a proof opens has another length.
    error EpochLength(uint256 length, uint256 expected);

    /// @notice The link's program is none of the key's for where it begins.
    error NotAStep(uint256 place, bytes32 program);

    /// @notice So many links do not lead to an epoch of proofs.
    error LinksEndElsewhere(uint256 links);

    /// @notice The verifier that was asked did not accept the proof.
    error ProofDoesNotHold();

    // -- administration, reputation, escrow ----------------------------------------------------

    /// @notice The fee has a limit that nobody can change, in basis points.
    error FeeTooHigh(uint256 bps, uint256 limit);

    /// @notice There is no score as high.
    error ScoreTooHigh(uint256 score, uint256 limit);

    /// @notice The bond is multiplied by 1 at least, and by `limit` at most.
    error BadBondFactor(uint256 factor, uint256 limit);

    /// @notice Nothing new is done in this token.
    error TokenNotListed(address token);

    /// @notice The server is not authorised.
    error NotAServer(address server);

    /// @notice Outcomes are taken from escrows of the market alone.
    error NotARecorder(address who);

    /// @notice The order is another's.
    error NotBuyer(address buyer, address who);

    /// @notice The order was made before.
    error OrderExists(bytes32 id);

    /// @notice The order is in another state (`OrderStatus`) than this needs; nothing is known of one in state 0.
    error WrongStatus(bytes32 id, uint8 status);

    /// @notice The times of an order do not follow each other from now on, or end too late.
    error BadTimes();

    /// @notice The version is not offered now.
    error VersionInactive(bytes32 commitment);

    /// @notice What the registered verifier says is worth less than the buyer asks for.
    error AssuranceTooLow(uint8 found, uint8 least);

    /// @notice Proofs of this version say nothing of an input that is disclosed.
    error InputNotDisclosed(bytes32 commitment);

    /// @notice The version is not sold in this token, or not to this buyer.
    error NotOnSale(address buyer, bytes32 commitment, address token);

    /// @notice The call costs more than is locked.
    error PriceTooLow(uint256 locked, uint256 price);

    /// @notice An order that costs nothing is made by its buyer in person.
    error NothingToAuthorize();

    /// @notice The token moved another amount than it was asked to.
    error WrongAmountReceived(address token, uint256 received, uint256 expected);

    /// @notice The account has less than that in the escrow.
    error BalanceTooLow(address account, address token, uint256 balance, uint256 needed);

    /// @notice The time for this was until `end`, in Unix seconds.
    error TooLate(uint256 end);

    /// @notice This may be done after `end`, in Unix seconds.
    error TooEarly(uint256 end);

    /// @notice The buyer chose another server.
    error OtherServerChosen(address server, address who);

    /// @notice Another server has accepted the order, and this is its own to do.
    error NotAcceptor(address acceptor, address who);

    /// @notice The numbers are not those of the order.
    error OtherInput(bytes32 inputs, bytes32 found);

    /// @notice The role for this is another's.
    error NotFeeTaker(address who);

    /// @notice What is told to another contract would not have the gas that it may need.
    error TooLittleGasToTell(uint256 left, uint256 needed);

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
