// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessPlans} from "./AccessPlans.sol";
import {Errors} from "../../src/Errors.sol";
import {Events} from "../../src/Events.sol";
import {Plan, PlanKind, PlanTerms} from "../../src/access/Plans.sol";

contract PlanBookTest is AccessPlans {
    function setUp() public {
        deployAll();
    }

    function test_makePlan_keepsWhatItSays() public {
        PlanTerms memory t = packTerms();
        bytes32 name = keccak256(abi.encode(MODEL, t)) & ~bytes32(uint256(type(uint64).max));
        assertEq(access.planName(MODEL, t), name);
        vm.prank(provider);
        vm.expectEmit(address(access));
        emit Events.PlanMade(name, MODEL, 3, address(token), 0, 3, 1 days, true, 0);
        vm.expectEmit(address(access));
        emit Events.PlanUpdated(name, COST, true);
        assertEq(access.makePlan(MODEL, t, COST), name);
        Plan memory got = access.planOf(name);
        assertEq(got.model, MODEL);
        assertEq(got.token, address(token));
        assertEq(got.price, COST);
        assertEq(uint256(got.kind), uint256(PlanKind.Pack));
        assertTrue(got.transferable && got.open, "flags");
        assertEq(got.span, 0);
        assertEq(got.calls, 3);
        assertEq(got.refundWindow, 1 days);
        assertEq(got.sold, 0);
        assertEq(got.cap, 0);
    }

    function test_makePlan_isTheOwnersAlone() public {
        PlanTerms memory t = passTerms();
        vm.prank(thief);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotModelOwner.selector, MODEL, thief));
        access.makePlan(MODEL, t, COST);
        // A version is no model, and what is not registered neither.
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownModel.selector, SECOND));
        access.makePlan(SECOND, t, COST);
    }

    function test_makePlan_refusesTheSameTermsTwice() public {
        PlanTerms memory t = passTerms();
        bytes32 plan = make(t);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.PlanExists.selector, plan));
        access.makePlan(MODEL, t, COST + 1);
        t.span += 1;
        assertTrue(make(t) != plan, "two plans have one name");
    }

    function test_makePlan_namesAnotherModelsPlanOtherwise() public {
        PlanTerms memory t = passTerms();
        bytes32 plan = make(t);
        vm.prank(thief);
        assertTrue(access.makePlan(FOREIGN, t, COST) != plan, "two plans have one name");
    }

    function test_makePlan_refusesTermsThatDoNotBelongTogether() public {
        PlanTerms memory t;
        bad(t, 0);
        t = freeTerms();
        t.calls = 0;
        bad(t, 0);
        t = freeTerms();
        t.span = 0;
        bad(t, 0);
        t = freeTerms();
        t.token = address(token);
        bad(t, 0);
        bad(freeTerms(), 1);
        t = freeTerms();
        t.transferable = true;
        bad(t, 0);
        t = passTerms();
        t.calls = 1;
        bad(t, COST);
        t = passTerms();
        t.span = 0;
        bad(t, COST);
        t = passTerms();
        t.cap = 1;
        bad(t, COST);
        t = packTerms();
        t.calls = 0;
        bad(t, COST);
        t = subscriptionTerms();
        t.refundWindow = 1;
        bad(t, COST);
        t = subscriptionTerms();
        t.transferable = true;
        bad(t, COST);
        t = subscriptionTerms();
        t.span = 0;
        bad(t, COST);
        t = loadTerms();
        t.calls = 0;
        bad(t, COST);
        t = loadTerms();
        t.span = 0;
        bad(t, COST);
        t = loadTerms();
        t.refundWindow = 1;
        bad(t, COST);
        bad(loadTerms(), 4 * COST + 1);
        make(loadTerms(), 4 * COST);
    }

    function test_makePlan_refusesWhatIsNoToken() public {
        PlanTerms memory t = passTerms();
        t.token = BOB;
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAToken.selector, BOB));
        access.makePlan(MODEL, t, COST);
    }

    function test_updatePlan_setsPriceAndOffer() public {
        bytes32 plan = make(passTerms());
        vm.prank(provider);
        vm.expectEmit(address(access));
        emit Events.PlanUpdated(plan, COST + 1, false);
        access.updatePlan(plan, COST + 1, false);
        Plan memory got = access.planOf(plan);
        assertEq(got.price, COST + 1);
        assertTrue(!got.open, "open");
    }

    function test_updatePlan_isTheOwnersAlone() public {
        bytes32 plan = make(passTerms());
        vm.prank(thief);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotModelOwner.selector, MODEL, thief));
        access.updatePlan(plan, 0, true);
        // Who owns the model now, and nobody who did.
        sell(BOB);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotModelOwner.selector, MODEL, provider));
        access.updatePlan(plan, 0, true);
        vm.prank(BOB);
        access.updatePlan(plan, 0, true);
    }

    function test_updatePlan_keepsToTheTerms() public {
        bytes32 load = make(loadTerms());
        bytes32 free = make(freeTerms());
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPlan.selector));
        access.updatePlan(load, 4 * COST + 1, true);
        update(load, 4 * COST, true);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPlan.selector));
        access.updatePlan(free, 1, true);
        update(free, 0, false);
    }

    function test_planOf_knowsNoOther() public {
        bytes32 nothing = keccak256("nothing");
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownPlan.selector, nothing));
        access.planOf(nothing);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownPlan.selector, nothing));
        access.updatePlan(nothing, 0, true);
    }

    function bad(PlanTerms memory t, uint96 price) private {
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadPlan.selector));
        access.makePlan(MODEL, t, price);
    }
}
