// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Registrations} from "../registry/Registrations.sol";
import {DevnetUSD} from "../../src/DevnetUSD.sol";
import {Access} from "../../src/access/Access.sol";
import {PlanKind, PlanTerms} from "../../src/access/Plans.sol";
import {ModelRegistry} from "../../src/registry/ModelRegistry.sol";
import {Registration} from "../../src/registry/Registration.sol";

/// @dev A registry with a model of two versions and one of a stranger's, a token, buyers with money, and plans.
abstract contract AccessPlans is Registrations {
    bytes32 internal constant MODEL = keccak256("model");
    bytes32 internal constant SECOND = keccak256("its second version");
    bytes32 internal constant FOREIGN = keccak256("a stranger's model");
    uint32 internal constant WEEK = 7 days;
    uint96 internal constant COST = 9_000_000;
    uint256 internal constant FUNDS = 1e12;

    address internal constant OWNER = address(0x0123);
    address internal constant ESCROW = address(0xE5C0);
    address internal constant GATEWAY = address(0x6A7E);
    address internal constant ALICE = address(0xA11);
    address internal constant BOB = address(0xB0B);

    DevnetUSD internal token;
    ModelRegistry internal registry;
    Access internal access;
    address internal provider;
    address internal thief;

    function deployAll() internal {
        vm.warp(NOW);
        token = new DevnetUSD(address(this));
        registry = new ModelRegistry();
        access = new Access(registry, OWNER);
        provider = vm.addr(PROVIDER_KEY);
        thief = vm.addr(THIEF_KEY);
        registerAs(PROVIDER_KEY, MODEL, MODEL);
        registerAs(PROVIDER_KEY, SECOND, MODEL);
        registerAs(THIEF_KEY, FOREIGN, FOREIGN);
        allow(ESCROW);
        allow(GATEWAY);
        fund(ALICE);
        fund(BOB);
    }

    function registerAs(uint256 key, bytes32 commitment, bytes32 model) private {
        Registration memory r = registrationOf(commitment, address(token));
        (r.model, r.owner) = (model, vm.addr(key));
        registry.register(r, sealedBy(registry, key, r));
    }

    function allow(address consumer) private {
        vm.prank(OWNER);
        access.setConsumer(consumer, true);
    }

    function fund(address buyer) internal {
        token.mint(buyer, FUNDS);
        vm.prank(buyer);
        token.approve(address(access), type(uint256).max);
    }

    // -- plans ---------------------------------------------------------------------------------

    function passTerms() internal view returns (PlanTerms memory t) {
        (t.kind, t.token, t.span, t.refundWindow) = (PlanKind.Pass, address(token), WEEK, 1 days);
    }

    function packTerms() internal view returns (PlanTerms memory t) {
        (t.kind, t.token, t.calls, t.refundWindow) = (PlanKind.Pack, address(token), 3, 1 days);
        t.transferable = true;
    }

    function freeTerms() internal pure returns (PlanTerms memory t) {
        (t.kind, t.span, t.calls) = (PlanKind.Free, 1 days, 2);
    }

    function subscriptionTerms() internal view returns (PlanTerms memory t) {
        (t.kind, t.token, t.span, t.calls) = (PlanKind.Subscription, address(token), WEEK, 2);
    }

    function loadTerms() internal view returns (PlanTerms memory t) {
        (t.kind, t.token, t.span, t.calls) = (PlanKind.Load, address(token), 1 hours, 10);
        t.cap = 4 * COST;
    }

    function make(PlanTerms memory terms) internal returns (bytes32) {
        return make(terms, terms.kind == PlanKind.Free ? 0 : COST);
    }

    function make(PlanTerms memory terms, uint96 price) internal returns (bytes32) {
        vm.prank(provider);
        return access.makePlan(MODEL, terms, price);
    }

    function update(bytes32 plan, uint96 price, bool open) internal {
        vm.prank(provider);
        access.updatePlan(plan, price, open);
    }

    // -- acts ----------------------------------------------------------------------------------

    function buyAs(address buyer, bytes32 plan) internal returns (bytes32) {
        vm.prank(buyer);
        return access.buy(plan, COST);
    }

    function refundAs(address buyer, bytes32 right) internal {
        vm.prank(buyer);
        access.refund(right);
    }

    function handOn(address from, address to, bytes32 right) internal {
        vm.prank(from);
        access.safeTransferFrom(from, to, uint256(right), 1, "");
    }

    function subscribeAs(address buyer, bytes32 plan, uint32 renewals) internal {
        vm.prank(buyer);
        access.subscribe(plan, COST, renewals, type(uint40).max);
    }

    function consumeFor(address buyer, bytes32 right) internal returns (uint256) {
        return consumeBy(ESCROW, buyer, right);
    }

    function consumeBy(address who, address buyer, bytes32 right) internal returns (uint256) {
        address paidIn = address(token);
        vm.prank(who);
        return access.consume(buyer, MODEL, paidIn, right);
    }

    function restoreFor(address buyer, bytes32 right) internal {
        vm.prank(ESCROW);
        access.restore(buyer, MODEL, right);
    }

    function withdrawAs(address who) internal returns (uint256) {
        vm.prank(who);
        return access.withdraw(address(token));
    }

    /// @dev Hands the model to `to`, in the registry's two steps.
    function sell(address to) internal {
        vm.prank(provider);
        registry.transferModel(MODEL, to);
        vm.prank(to);
        registry.acceptModel(MODEL);
    }

    // -- checks --------------------------------------------------------------------------------

    function entitles(address buyer, bytes32 right) internal view returns (bool entitled) {
        (entitled,) = access.entitlement(buyer, MODEL, address(token), right);
    }

    function checkEntitled(address buyer, bytes32 right) internal view {
        assertTrue(entitles(buyer, right), "not entitled");
    }

    /// @dev Both sides of the one rule: the question, and the taking.
    function checkRefused(address buyer, bytes32 right) internal {
        assertTrue(!entitles(buyer, right), "entitled");
        bytes memory why =
            abi.encodeWithSignature("NotEntitled(address,bytes32,bytes32)", buyer, MODEL, right);
        vm.prank(ESCROW);
        vm.expectRevert(why);
        access.consume(buyer, MODEL, address(token), right);
    }

    function checkOwned(address account, uint256 amount) internal view {
        assertEq(access.earned(account, address(token)), amount);
    }
}
