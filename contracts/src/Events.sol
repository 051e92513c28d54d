// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order} from "./escrow/Order.sol";
import {Outcome} from "./reputation/ReputationRules.sol";

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

    // -- administration, reputation, escrow ----------------------------------------------------

    /// @notice The fee of new orders, in basis points.
    event FeeSet(uint16 bps);

    /// @notice Below which score a server stakes more, and how many times the bond.
    event AdmissionSet(uint16 leastScore, uint8 bondFactor);

    /// @notice Whether new orders are made in a token, and what it weighs in reputations.
    event TokenSet(address indexed token, bool listed, uint128 weight);

    /// @notice Whether a server may accept and rescue.
    event ServerSet(address indexed server, bool authorised);

    /// @notice The X25519 key to which inputs for a server are encrypted.
    event InputKeySet(address indexed server, bytes32 key);

    /// @notice What became of an order, and how many millionths of a dollar that counts.
    event OutcomeRecorded(address indexed server, Outcome indexed outcome, uint256 value);

    /// @notice Money is locked for an order.
    event Requested(
        bytes32 indexed id, address indexed buyer, bytes32 indexed model, Order order, uint16 feeBps
    );

    /// @notice A server has accepted an order and staked a bond; whether it has the input.
    event Accepted(bytes32 indexed id, address indexed server, uint256 bond, bool acknowledged);

    /// @notice The server that accepted has the input.
    event InputAcknowledged(bytes32 indexed id);

    /// @notice The numbers that the input of an order is quantised to.
    event InputPosted(bytes32 indexed id, bytes numbers);

    /// @notice An order was delivered with a proof that holds.
    /// @param outputs Each output tensor in its canonical encoding.
    /// @param paid What the server has of price and bonds.
    /// @param returned What the buyer has of the bond.
    event Delivered(
        bytes32 indexed id,
        address indexed server,
        bool rescued,
        bytes[] outputs,
        uint256 paid,
        uint256 returned,
        uint256 fee
    );

    /// @notice An order ended without a delivery.
    /// @param server Who had accepted it; zero where nobody had.
    /// @param toBuyer Price, and bond where the server failed.
    /// @param toServer Its bond, where it did not.
    event Refunded(bytes32 indexed id, address indexed server, uint256 toBuyer, uint256 toServer);

    /// @notice The buyer took the order back before anybody accepted it.
    event Cancelled(bytes32 indexed id);

    /// @notice An account has put money into the escrow.
    event Deposited(address indexed account, address indexed token, uint256 amount);

    /// @notice An account has taken money out of the escrow.
    event Withdrawn(
        address indexed account, address indexed token, address indexed to, uint256 amount
    );

    /// @notice Fees were taken out of the escrow.
    event FeesWithdrawn(address indexed token, address indexed to, uint256 amount);

    /// @notice Another contract did not take what it was told of an order; that changed nothing for the order.
    event NotTold(bytes32 indexed id, address indexed to);

    // -- access --------------------------------------------------------------------------------

    /// @notice A model has another plan. Its terms never change.
    event PlanMade(
        bytes32 indexed plan,
        bytes32 indexed model,
        uint8 kind,
        address token,
        uint32 span,
        uint32 calls,
        uint32 refundWindow,
        bool transferable,
        uint96 cap
    );

    /// @notice What a plan costs from now on, and whether it is offered.
    event PlanUpdated(bytes32 indexed plan, uint96 price, bool open);

    /// @notice A pass or a pack was bought. `until` is zero where it has no end; `payee` has the money once
    /// it cannot be given back any more.
    event Bought(
        bytes32 indexed plan,
        bytes32 indexed right,
        address indexed buyer,
        address payee,
        uint256 price,
        uint256 until
    );

    /// @notice A pass or a pack was given back, and the buyer has the money.
    event PurchaseRefunded(bytes32 indexed right, address indexed buyer, uint256 price);

    /// @notice A subscriber has paid until `paidUntil`, and allows so many renewals more.
    event PeriodPaid(
        bytes32 indexed plan,
        address indexed subscriber,
        address indexed payee,
        uint256 price,
        uint256 paidUntil,
        uint256 renewals
    );

    /// @notice The subscriber allows no renewal any more.
    event SubscriptionEnded(bytes32 indexed plan, address indexed subscriber);

    /// @notice What could not be given back any more is the payee's to take out.
    event EarningsMatured(bytes32 indexed plan, address indexed payee, uint256 amount);

    /// @notice An account took out what was its own.
    event EarningsWithdrawn(address indexed account, address indexed token, uint256 amount);

    /// @notice Who may consume, and who may not any more.
    event ConsumerSet(address indexed consumer, bool allowed);

    /// @notice A call was taken of a plan, or of what was bought of one.
    event CallConsumed(
        bytes32 indexed right, address indexed buyer, address indexed consumer, bytes32 commitment
    );

    /// @notice A call was given back.
    event CallRestored(
        bytes32 indexed right, address indexed buyer, address indexed consumer, bytes32 commitment
    );

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
