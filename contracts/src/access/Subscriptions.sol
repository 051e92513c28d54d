// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Errors} from "../Errors.sol";
import {Events} from "../Events.sol";
import {Earnings} from "./Earnings.sol";
import {PlanBook} from "./PlanBook.sol";
import {Plan, PlanKind} from "./Plans.sol";

/// @notice What a subscriber has paid, and allows.
/// @param paidUntil The end of the period that was paid last.
/// @param renewBy No renewal after it.
/// @param renewals How many are allowed still.
/// @param used Calls of the period that were taken and not given back.
/// @param limit What a renewal costs at most.
struct Subscription {
    uint40 paidUntil;
    uint40 renewBy;
    uint32 renewals;
    uint32 used;
    uint96 limit;
}

/// @title Subscriptions: a period is paid when it begins, by an allowance of the subscriber's token.
/// @dev A renewal that cannot be paid changes nothing: the subscriber is entitled to no call until somebody
/// renews, and a period after the last one ended nobody can.
abstract contract Subscriptions is PlanBook, Earnings {
    mapping(bytes32 plan => mapping(address subscriber => Subscription)) internal _subscriptions;

    /// @notice Pays the first period, and allows renewals.
    /// @param limit What a period costs at most, this one included.
    /// @param renewals How many renewals are allowed.
    /// @param renewBy No renewal after this time, in Unix seconds.
    function subscribe(bytes32 plan, uint96 limit, uint32 renewals, uint40 renewBy)
        external
        nonReentrant
    {
        require(_known(plan).kind == PlanKind.Subscription, Errors.WrongPlanKind(plan));
        uint256 paidUntil = _subscriptions[plan][msg.sender].paidUntil;
        require(block.timestamp >= paidUntil, Errors.StillPaid(plan, msg.sender, paidUntil));
        _payPeriod(plan, msg.sender, Subscription(0, renewBy, renewals, 0, limit));
    }

    /// @notice Pays the next period of a subscriber whose last one is over, as far as that allows it. Anyone may.
    function renew(bytes32 plan, address subscriber) external nonReentrant {
        Plan storage found = _known(plan);
        Subscription memory own = _subscriptions[plan][subscriber];
        require(block.timestamp >= own.paidUntil, Errors.StillPaid(plan, subscriber, own.paidUntil));
        require(
            own.renewals != 0 && block.timestamp <= own.renewBy
                && block.timestamp < uint256(own.paidUntil) + found.span,
            Errors.NotRenewable(plan, subscriber)
        );
        --own.renewals;
        _payPeriod(plan, subscriber, own);
    }

    /// @notice Allows no renewal of the caller's subscription any more. The period that was paid stays.
    function endSubscription(bytes32 plan) external {
        _known(plan);
        _subscriptions[plan][msg.sender].renewals = 0;
        emit Events.SubscriptionEnded(plan, msg.sender);
    }

    /// @return What a subscriber has paid of a plan, and allows.
    function subscriptionOf(bytes32 plan, address subscriber)
        external
        view
        returns (Subscription memory)
    {
        return _subscriptions[plan][subscriber];
    }

    // -- inside --------------------------------------------------------------------------------

    function _payPeriod(bytes32 plan, address subscriber, Subscription memory own) private {
        Plan storage found = _plans[plan];
        require(found.open, Errors.PlanClosed(plan));
        (address token, uint256 price) = (found.token, found.price);
        require(price <= own.limit, Errors.PriceAbove(price, own.limit));
        address payee = _payee(found.model);
        // From now on, not from the end of the last period: nobody pays for time without calls.
        own.paidUntil = uint40(block.timestamp + found.span);
        own.used = 0;

        _subscriptions[plan][subscriber] = own;
        _earn(plan, payee, token, 0, price);
        emit Events.PeriodPaid(plan, subscriber, payee, price, own.paidUntil, own.renewals);
        _collectFrom(subscriber, token, price);
    }

    /// @dev Whether the period is paid, and a call of it is left.
    function _mayCall(Plan storage plan, Subscription storage own) internal view returns (bool) {
        uint256 calls = plan.calls;
        return block.timestamp < own.paidUntil && (calls == 0 || own.used < calls);
    }
}
