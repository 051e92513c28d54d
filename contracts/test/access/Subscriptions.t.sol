// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {AccessPlans} from "./AccessPlans.sol";
import {Errors} from "../../src/Errors.sol";
import {Events} from "../../src/Events.sol";
import {PlanTerms} from "../../src/access/Plans.sol";
import {Subscription} from "../../src/access/Subscriptions.sol";

contract SubscriptionsTest is AccessPlans {
    bytes32 private plan;

    function setUp() public {
        deployAll();
        plan = make(subscriptionTerms());
    }

    function test_subscribe_paysTheFirstPeriod() public {
        checkRefused(ALICE, plan);
        vm.prank(ALICE);
        vm.expectEmit(address(access));
        emit Events.PeriodPaid(plan, ALICE, provider, COST, block.timestamp + WEEK, 3);
        access.subscribe(plan, COST, 3, 2_000_000_000);
        Subscription memory got = access.subscriptionOf(plan, ALICE);
        assertEq(got.paidUntil, block.timestamp + WEEK);
        assertEq(got.renewBy, 2_000_000_000);
        assertEq(got.renewals, 3);
        assertEq(got.limit, COST);
        checkOwned(provider, COST);
        checkEntitled(ALICE, plan);
        checkRefused(BOB, plan);
    }

    function test_subscribe_isOfAnOpenSubscriptionNotPaidYet() public {
        bytes32 pass = make(passTerms());
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.WrongPlanKind.selector, pass));
        access.subscribe(pass, COST, 1, 1);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.PriceAbove.selector, COST, COST - 1));
        access.subscribe(plan, COST - 1, 1, 1);
        subscribeAs(ALICE, plan, 1);
        uint256 end = block.timestamp + WEEK;
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.StillPaid.selector, plan, ALICE, end));
        access.subscribe(plan, COST, 1, 1);
        update(plan, COST, false);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(Errors.PlanClosed.selector, plan));
        access.subscribe(plan, COST, 1, 1);
        checkEntitled(ALICE, plan);
        vm.warp(end);
        update(plan, COST, true);
        subscribeAs(ALICE, plan, 1);
    }

    function test_period_endsAtItsVerySecond() public {
        subscribeAs(ALICE, plan, 0);
        vm.warp(block.timestamp + WEEK - 1);
        checkEntitled(ALICE, plan);
        vm.warp(block.timestamp + 1);
        checkRefused(ALICE, plan);
    }

    function test_renew_isAnybodysWhenDueAndOncePerPeriod() public {
        subscribeAs(ALICE, plan, 5);
        uint256 end = block.timestamp + WEEK;
        consumeFor(ALICE, plan);
        consumeFor(ALICE, plan);
        checkRefused(ALICE, plan);
        vm.warp(end - 1);
        notRenewed(abi.encodeWithSelector(Errors.StillPaid.selector, plan, ALICE, end));
        vm.warp(end + 10);
        vm.prank(BOB);
        access.renew(plan, ALICE);
        checkEntitled(ALICE, plan);
        Subscription memory got = access.subscriptionOf(plan, ALICE);
        assertEq(got.renewals, 4);
        assertEq(got.used, 0);
        assertEq(got.paidUntil, end + 10 + WEEK);
        notRenewed(abi.encodeWithSelector(Errors.StillPaid.selector, plan, ALICE, end + 10 + WEEK));
        assertEq(token.balanceOf(ALICE), FUNDS - 2 * COST);
        assertEq(token.balanceOf(BOB), FUNDS);
    }

    function test_renew_keepsToWhatIsAllowed() public {
        bytes memory no = abi.encodeWithSelector(Errors.NotRenewable.selector, plan, ALICE);
        notRenewed(no);
        vm.prank(ALICE);
        access.subscribe(plan, COST, 1, uint40(block.timestamp) + WEEK);
        vm.warp(block.timestamp + WEEK);
        update(plan, COST + 1, true);
        notRenewed(abi.encodeWithSelector(Errors.PriceAbove.selector, COST + 1, COST));
        update(plan, COST, false);
        notRenewed(abi.encodeWithSelector(Errors.PlanClosed.selector, plan));
        update(plan, COST, true);
        vm.warp(block.timestamp + 1);
        notRenewed(no);
        vm.warp(block.timestamp - 1);
        access.renew(plan, ALICE);
        // None is left.
        vm.warp(block.timestamp + WEEK);
        notRenewed(no);
    }

    function test_renew_isNotOfWhatLapsedLongAgo() public {
        subscribeAs(ALICE, plan, 5);
        vm.warp(block.timestamp + 2 * WEEK);
        notRenewed(abi.encodeWithSelector(Errors.NotRenewable.selector, plan, ALICE));
        vm.warp(block.timestamp - 1);
        access.renew(plan, ALICE);
    }

    function test_renew_thatCannotBePaidLapses() public {
        subscribeAs(ALICE, plan, 5);
        vm.prank(ALICE);
        token.approve(address(access), COST - 1);
        vm.warp(block.timestamp + WEEK);
        notRenewed(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(access), COST - 1, COST
            )
        );
        checkRefused(ALICE, plan);
        assertEq(access.subscriptionOf(plan, ALICE).renewals, 5);
    }

    function test_end_allowsNoRenewalAndKeepsThePeriod() public {
        subscribeAs(ALICE, plan, 5);
        vm.prank(BOB);
        access.endSubscription(plan);
        assertEq(access.subscriptionOf(plan, ALICE).renewals, 5);
        vm.prank(ALICE);
        vm.expectEmit(address(access));
        emit Events.SubscriptionEnded(plan, ALICE);
        access.endSubscription(plan);
        checkEntitled(ALICE, plan);
        vm.warp(block.timestamp + WEEK);
        notRenewed(abi.encodeWithSelector(Errors.NotRenewable.selector, plan, ALICE));
        bytes32 nothing = keccak256("nothing");
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownPlan.selector, nothing));
        access.endSubscription(nothing);
    }

    function test_renewal_paysWhoOwnsTheModelThen() public {
        subscribeAs(ALICE, plan, 5);
        sell(BOB);
        vm.warp(block.timestamp + WEEK);
        access.renew(plan, ALICE);
        checkOwned(provider, COST);
        checkOwned(BOB, COST);
    }

    function test_restore_isOfThePeriodThatIsPaid() public {
        subscribeAs(ALICE, plan, 5);
        consumeFor(ALICE, plan);
        consumeFor(ALICE, plan);
        restoreFor(ALICE, plan);
        assertEq(access.subscriptionOf(plan, ALICE).used, 1);
        vm.warp(block.timestamp + WEEK);
        access.renew(plan, ALICE);
        restoreFor(ALICE, plan);
        assertEq(access.subscriptionOf(plan, ALICE).used, 0);
        consumeFor(ALICE, plan);
        restoreFor(ALICE, plan);
        restoreFor(ALICE, plan);
        assertEq(access.subscriptionOf(plan, ALICE).used, 0);
    }

    function test_unlimited_isNotCounted() public {
        PlanTerms memory t = subscriptionTerms();
        t.calls = 0;
        bytes32 endless = make(t);
        subscribeAs(ALICE, endless, 0);
        for (uint256 i = 0; i < 5; ++i) {
            consumeFor(ALICE, endless);
        }
        restoreFor(ALICE, endless);
        assertEq(access.subscriptionOf(endless, ALICE).used, 0);
    }

    function notRenewed(bytes memory why) private {
        vm.expectRevert(why);
        access.renew(plan, ALICE);
    }
}
