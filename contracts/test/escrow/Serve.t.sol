// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Orders, TestRouter} from "./Orders.sol";
import {Errors} from "../../src/Errors.sol";
import {Events} from "../../src/Events.sol";
import {Roles} from "../../src/admin/Roles.sol";
import {Slot} from "../../src/escrow/Escrow.sol";
import {Order} from "../../src/escrow/Order.sol";
import {OrderStatus} from "../../src/escrow/OrderLib.sol";
import {Record} from "../../src/reputation/ReputationRules.sol";

contract ServeTest is Orders {
    uint256 private constant FEE = 6_250;
    /// @dev Half of the bond is rounded to the buyer.
    uint256 private constant HALF = 50_000;

    function setUp() public {
        build();
    }

    // -- accept --------------------------------------------------------------------------------

    function test_accept_stakesTheBond() public {
        Order memory o = orderOf(1);
        request(o);
        vm.expectEmit(address(escrow));
        emit Events.Accepted(idFor(o), alice, BOND, false);
        accept(o, alice, false);
        has(alice, FUNDS - BOND);
        Slot memory slot = escrow.slotOf(idFor(o));
        assertEq(uint256(slot.status), uint256(OrderStatus.Accepted));
        assertEq(slot.server, alice);
        assertTrue(!slot.given && !slot.ownModel, "flags");
        assertEq(slot.feeBps, FEE_BPS);
        assertEq(slot.bondFactor, 1);
    }

    function test_accept_maySayThatTheInputIsThere() public {
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, true);
        assertTrue(escrow.slotOf(idFor(o)).given, "given");
    }

    function test_accept_refusesASecondServer() public {
        Order memory o = orderOf(1);
        vm.expectRevert(wrongStatus(o, OrderStatus.None));
        accept(o, alice, true);
        request(o);
        accept(o, alice, true);
        vm.expectRevert(wrongStatus(o, OrderStatus.Accepted));
        accept(o, bob, true);
    }

    function test_accept_refusesWhoIsNotAuthorised() public {
        Order memory o = orderOf(1);
        request(o);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAServer.selector, stranger));
        accept(o, stranger, true);
        market.setServer(alice, false);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAServer.selector, alice));
        accept(o, alice, true);
        accept(o, bob, true);
    }

    function test_accept_refusesAnotherThanTheChosenServer() public {
        Order memory o = orderOf(1);
        o.server = bob;
        request(o);
        vm.expectRevert(abi.encodeWithSelector(Errors.OtherServerChosen.selector, bob, alice));
        accept(o, alice, true);
        accept(o, bob, true);
    }

    function test_accept_isPossibleUntilItsTime() public {
        Order memory o = orderOf(1);
        Order memory late = orderOf(2);
        request(o);
        request(late);
        vm.warp(o.acceptBy);
        accept(o, alice, true);
        vm.warp(uint256(o.acceptBy) + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, o.acceptBy));
        accept(late, alice, true);
    }

    function test_accept_refusesWithoutTheBond() public {
        Order memory o = orderOf(1);
        o.bond = uint128(FUNDS + 1);
        request(o);
        vm.expectRevert(
            abi.encodeWithSelector(
                Errors.BalanceTooLow.selector, alice, address(token), FUNDS, FUNDS + 1
            )
        );
        accept(o, alice, true);
    }

    function test_accept_refusesWhilePaused() public {
        Order memory o = orderOf(1);
        request(o);
        market.pause();
        vm.expectRevert(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        accept(o, alice, true);
        market.unpause();
        accept(o, alice, true);
    }

    function test_accept_costsAServerOfLowScoreMore() public {
        earn(alice, 300_000_000);
        assertEq(reputation.score(alice), 7_500);
        market.setAdmission(7_500, 3);
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, true);
        has(alice, FUNDS - BOND);
        o = orderOf(2);
        request(o);
        vm.expectEmit(address(escrow));
        emit Events.Accepted(idFor(o), bob, 3 * BOND, true);
        accept(o, bob, true);
        has(bob, FUNDS - 3 * uint256(BOND));
        // What was staked stays what it was.
        market.setAdmission(0, 1);
        assertEq(escrow.slotOf(idFor(o)).bondFactor, 3);
        deliver(o, bob);
        has(bob, FUNDS + PRICE - FEE);
    }

    function test_accept_asksForTheLeastScoreWhateverItIs() public {
        earn(alice, 300_000_000);
        market.setAdmission(1, 2);
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, true);
        has(alice, FUNDS - BOND);
        assertEq(reputation.score(bob), 0);
        o = orderOf(2);
        request(o);
        accept(o, bob, true);
        has(bob, FUNDS - 2 * uint256(BOND));
    }

    // -- inputs --------------------------------------------------------------------------------

    function test_acknowledge_isTheServersWord() public {
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, false);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAcceptor.selector, alice, bob));
        vm.prank(bob);
        escrow.acknowledge(o);
        vm.warp(o.inputBy);
        vm.expectEmit(address(escrow));
        emit Events.InputAcknowledged(idFor(o));
        vm.prank(alice);
        escrow.acknowledge(o);
        assertTrue(escrow.slotOf(idFor(o)).given, "given");
    }

    function test_acknowledge_hasItsTime() public {
        Order memory o = orderOf(1);
        request(o);
        vm.expectRevert(wrongStatus(o, OrderStatus.Open));
        vm.prank(alice);
        escrow.acknowledge(o);
        accept(o, alice, false);
        vm.warp(uint256(o.inputBy) + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, o.inputBy));
        vm.prank(alice);
        escrow.acknowledge(o);
    }

    function test_postInput_givesTheServerTheInput() public {
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, false);
        vm.warp(o.inputBy);
        vm.expectEmit(address(escrow));
        emit Events.InputPosted(idFor(o), NUMBERS);
        escrow.postInput(o, NUMBERS);
        assertTrue(escrow.slotOf(idFor(o)).given, "given");
    }

    function test_postInput_beforeAcceptanceCounts() public {
        Order memory o = orderOf(1);
        vm.expectRevert(wrongStatus(o, OrderStatus.None));
        escrow.postInput(o, NUMBERS);
        request(o);
        escrow.postInput(o, NUMBERS);
        accept(o, alice, false);
        assertTrue(escrow.slotOf(idFor(o)).given, "given");
    }

    function test_postInput_afterItsTimeIsForRescuersAlone() public {
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, false);
        vm.warp(uint256(o.inputBy) + 1);
        vm.expectEmit(address(escrow));
        emit Events.InputPosted(idFor(o), NUMBERS);
        escrow.postInput(o, NUMBERS);
        assertTrue(!escrow.slotOf(idFor(o)).given, "given");
    }

    function test_postInput_refusesOtherNumbers() public {
        Order memory o = orderOf(1);
        request(o);
        bytes memory other = bytes.concat(NUMBERS, hex"00");
        vm.expectRevert(
            abi.encodeWithSelector(Errors.OtherInput.selector, keccak256(NUMBERS), keccak256(other))
        );
        escrow.postInput(o, other);
    }

    // -- deliver -------------------------------------------------------------------------------

    function test_deliver_paysTheServer() public {
        Order memory o = accepted(1, true);
        vm.expectEmit(address(escrow));
        emit Events.Delivered(idFor(o), alice, false, outputsOf(7), PRICE - FEE, 0, FEE);
        deliver(o, alice);
        checkStatus(o, OrderStatus.Paid);
        has(alice, FUNDS + PRICE - FEE);
        has(buyer, 0);
        assertEq(escrow.feesOf(address(token)), FEE);
        Record memory record = reputation.recordOf(alice);
        assertEq(record.good, PRICE);
        assertEq(record.bad, 0);
        assertEq(record.valid, 1);
    }

    /// @dev A fee and a bond of one unit are a fee and a bond.
    function test_deliver_countsTheLastUnit() public {
        price(address(token), 40);
        Order memory o = orderOf(1);
        (o.price, o.bond) = (40, 1);
        request(o);
        accept(o, alice, true);
        has(alice, FUNDS - 1);
        vm.warp(uint256(o.deliverBy) + 1);
        deliver(o, bob);
        assertEq(escrow.feesOf(address(token)), 1);
        has(bob, FUNDS + 39);
        has(buyer, 1);
        has(alice, FUNDS - 1);
    }

    function test_deliver_isPossibleOnce() public {
        Order memory o = accepted(1, true);
        deliver(o, alice);
        vm.expectRevert(wrongStatus(o, OrderStatus.Paid));
        deliver(o, alice);
    }

    function test_deliver_needsAnAcceptance() public {
        Order memory o = orderOf(1);
        request(o);
        vm.expectRevert(wrongStatus(o, OrderStatus.Open));
        deliver(o, alice);
    }

    function test_deliver_refusesAProofOfAnythingElse() public {
        Order memory o = accepted(1, true);
        bytes[] memory outputs = outputsOf(7);
        bytes memory refusal = abi.encodeWithSelector(TestRouter.Refused.selector);
        // Another's proof, for other outputs, for another order.
        bytes memory proof = proofFor(o, idFor(o), bob, outputs);
        vm.expectRevert(refusal);
        vm.prank(alice);
        escrow.deliver(o, outputs, proof);
        proof = proofFor(o, idFor(o), alice, outputs);
        vm.expectRevert(refusal);
        vm.prank(alice);
        escrow.deliver(o, outputsOf(8), proof);
        proof = proofFor(o, idFor(orderOf(2)), alice, outputs);
        vm.expectRevert(refusal);
        vm.prank(alice);
        escrow.deliver(o, outputs, proof);
        checkStatus(o, OrderStatus.Accepted);
        deliver(o, alice);
    }

    function testFuzz_deliver_commitsToAnyOutputs(bytes[] memory outputs) public {
        Order memory o = accepted(1, true);
        bytes memory proof = proofFor(o, idFor(o), alice, outputs);
        vm.prank(alice);
        escrow.deliver(o, outputs, proof);
        checkStatus(o, OrderStatus.Paid);
    }

    function test_deliver_isTheAcceptorsUntilItsTimeIsOver() public {
        Order memory o = accepted(1, true);
        vm.warp(o.deliverBy);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAcceptor.selector, alice, bob));
        deliver(o, bob);
        deliver(o, alice);
        checkStatus(o, OrderStatus.Paid);
    }

    function test_deliver_afterItsTimeIsARescue() public {
        Order memory o = accepted(1, true);
        vm.warp(uint256(o.deliverBy) + 1);
        vm.expectEmit(address(escrow));
        emit Events.Delivered(idFor(o), bob, true, outputsOf(7), PRICE - FEE + HALF, HALF + 1, FEE);
        deliver(o, bob);
        checkStatus(o, OrderStatus.Rescued);
        has(bob, FUNDS + PRICE - FEE + HALF);
        has(buyer, HALF + 1);
        has(alice, FUNDS - BOND);
        assertEq(reputation.recordOf(bob).good, PRICE);
        assertEq(reputation.recordOf(bob).rescued, 1);
        assertEq(reputation.recordOf(alice).bad, PRICE);
        assertEq(reputation.recordOf(alice).missed, 1);
    }

    function test_deliver_byItselfInTheRescueWindowCostsHalfTheBond() public {
        Order memory o = accepted(1, true);
        vm.warp(o.rescueBy);
        deliver(o, alice);
        checkStatus(o, OrderStatus.Rescued);
        has(alice, FUNDS + PRICE - FEE - HALF - 1);
        has(buyer, HALF + 1);
        assertEq(reputation.recordOf(alice).bad, PRICE / 4);
        assertEq(reputation.recordOf(alice).late, 1);
    }

    function test_deliver_leavesTheBondOfWhoWasGivenNoInput() public {
        Order memory o = accepted(1, false);
        Order memory own = accepted(2, false);
        vm.warp(uint256(o.deliverBy) + 1);
        deliver(o, bob);
        has(bob, FUNDS + PRICE - FEE);
        has(alice, FUNDS - BOND);
        has(buyer, 0);
        assertEq(reputation.recordOf(alice).missed, 0);
        deliver(own, alice);
        has(alice, FUNDS + PRICE - FEE);
        assertEq(reputation.recordOf(alice).valid, 1);
    }

    /// @dev The bond of who had no input is its own, whoever else the buyer is.
    function test_deliver_leavesTheBondWhereTheBuyerIsAServer() public {
        token.mint(bob, PRICE);
        token.mint(alice, PRICE);
        Order memory o = orderOf(1);
        Order memory own = orderOf(2);
        (o.buyer, own.buyer) = (bob, alice);
        request(o);
        request(own);
        accept(o, alice, false);
        accept(own, alice, false);
        vm.warp(uint256(o.deliverBy) + 1);
        deliver(o, bob);
        has(bob, FUNDS + PRICE - FEE);
        has(alice, FUNDS - BOND);
        deliver(own, bob);
        has(bob, FUNDS + 2 * (PRICE - FEE));
        has(alice, FUNDS);
    }

    /// @dev A bond that is more than the price counts where a server failed, and only there.
    function test_deliver_countsTheBondOfWhoFailedAlone() public {
        Order memory o = orderOf(1);
        Order memory late = orderOf(2);
        (o.bond, late.bond) = (2 * PRICE, 2 * PRICE);
        request(o);
        request(late);
        accept(o, alice, true);
        accept(late, alice, true);
        deliver(o, alice);
        assertEq(reputation.recordOf(alice).good, PRICE);
        vm.warp(uint256(late.deliverBy) + 1);
        deliver(late, alice);
        assertEq(reputation.recordOf(alice).bad, 2 * PRICE / 4);
    }

    function test_deliver_isOverAfterTheRescue() public {
        Order memory o = accepted(1, true);
        vm.warp(uint256(o.rescueBy) + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLate.selector, o.rescueBy));
        deliver(o, alice);
    }

    function test_deliver_ofWhoWasRemovedIsPaid() public {
        Order memory o = accepted(1, true);
        Order memory late = accepted(2, true);
        market.setServer(alice, false);
        market.setServer(bob, false);
        market.pause();
        deliver(o, alice);
        vm.warp(uint256(o.deliverBy) + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAServer.selector, bob));
        deliver(late, bob);
        deliver(late, alice);
    }

    function test_deliver_refusesAVerifierThatCallsBack() public {
        Order memory o = accepted(1, true);
        bytes[] memory outputs = outputsOf(7);
        bytes memory proof = proofFor(o, idFor(o), address(router), outputs);
        router.arm(address(escrow), abi.encodeCall(escrow.deliver, (o, outputs, proof)));
        deliver(o, alice);
        assertTrue(router.calledBack(), "called back");
        has(alice, FUNDS + PRICE - FEE);
    }

    function test_deliver_isNotStoppedByTheReputation() public {
        Order memory o = accepted(1, true);
        market.revokeRole(Roles.RECORDER, address(escrow));
        vm.expectEmit(address(escrow));
        emit Events.NotTold(idFor(o), address(reputation));
        deliver(o, alice);
        has(alice, FUNDS + PRICE - FEE);
        assertEq(reputation.recordOf(alice).valid, 0);
    }

    /// @dev Who delivers cannot have its own failure go unnoticed by leaving too little gas.
    function testFuzz_deliver_isRecordedWhateverGasItHas(uint256 gas) public {
        Order memory o = accepted(1, true);
        vm.warp(o.rescueBy);
        bytes[] memory outputs = outputsOf(7);
        bytes memory data =
            abi.encodeCall(escrow.deliver, (o, outputs, proofFor(o, idFor(o), alice, outputs)));
        vm.prank(alice);
        (bool done,) = address(escrow).call{gas: bound(gas, 60_000, 500_000)}(data);
        assertEq(reputation.recordOf(alice).late, done ? 1 : 0);
    }

    function test_deliver_ofOwnOrdersCountsNothing() public {
        // A server that buys of itself.
        token.mint(alice, PRICE);
        Order memory o = orderOf(1);
        o.buyer = alice;
        request(o);
        accept(o, alice, true);
        deliver(o, alice);
        // The owner of the model.
        token.mint(owner, PRICE);
        o.buyer = owner;
        request(o);
        accept(o, alice, true);
        assertTrue(escrow.slotOf(idFor(o)).ownModel, "flag");
        deliver(o, alice);
        assertEq(reputation.recordOf(alice).valid, 2);
        assertEq(reputation.recordOf(alice).good, 0);
    }

    // -- inside --------------------------------------------------------------------------------

    function accepted(uint256 salt, bool acknowledged) private returns (Order memory o) {
        o = orderOf(salt);
        request(o);
        accept(o, alice, acknowledged);
    }

    function earn(address server, uint128 amount) private {
        Order memory o = orderOf(99);
        (o.price, o.bond) = (amount, 0);
        request(o);
        accept(o, server, true);
        uint256 before = escrow.balanceOf(server, address(token));
        deliver(o, server);
        uint256 earned = escrow.balanceOf(server, address(token)) - before;
        vm.prank(server);
        escrow.withdraw(address(token), stranger, earned);
    }
}
