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
}
