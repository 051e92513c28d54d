// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Orders} from "./Orders.sol";
import {Errors} from "../../src/Errors.sol";
import {Events} from "../../src/Events.sol";
import {Permit} from "../../src/escrow/Balances.sol";
import {Order} from "../../src/escrow/Order.sol";
import {OrderStatus} from "../../src/escrow/OrderLib.sol";
import {ShareRules, Shares} from "../../src/escrow/Shares.sol";

contract EndTest is Orders {
    function setUp() public {
        build();
    }

    // -- cancel --------------------------------------------------------------------------------

    function test_cancel_givesThePriceBack() public {
        Order memory o = orderOf(1);
        request(o);
        market.pause();
        vm.expectEmit(address(escrow));
        emit Events.Cancelled(idFor(o));
        vm.prank(buyer);
        escrow.cancel(o);
        checkStatus(o, OrderStatus.Cancelled);
        has(buyer, PRICE);
    }

    function test_cancel_isTheBuyersWhileNobodyHasAccepted() public {
        Order memory o = orderOf(1);
        request(o);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotBuyer.selector, buyer, stranger));
        vm.prank(stranger);
        escrow.cancel(o);
        accept(o, alice, true);
        vm.expectRevert(wrongStatus(o, OrderStatus.Accepted));
        vm.prank(buyer);
        escrow.cancel(o);
    }

    // -- refund --------------------------------------------------------------------------------

    function test_refund_ofAnOrderThatNobodyAccepted() public {
        Order memory o = orderOf(1);
        request(o);
        vm.warp(o.acceptBy);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, o.acceptBy));
        refund(o);
        vm.warp(uint256(o.acceptBy) + 1);
        market.pause();
        vm.expectEmit(address(escrow));
        emit Events.Refunded(idFor(o), address(0), PRICE, 0);
        refund(o);
        checkStatus(o, OrderStatus.Refunded);
        has(buyer, PRICE);
        vm.expectRevert(wrongStatus(o, OrderStatus.Refunded));
        refund(o);
    }

    function test_refund_ofNothing() public {
        Order memory o = orderOf(1);
        vm.expectRevert(wrongStatus(o, OrderStatus.None));
        refund(o);
    }

    function test_refund_givesTheBondToTheBuyerOfAServerThatFailed() public {
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, true);
        vm.warp(o.rescueBy);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, o.rescueBy));
        refund(o);
        vm.warp(uint256(o.rescueBy) + 1);
        vm.expectEmit(address(escrow));
        emit Events.Refunded(idFor(o), alice, PRICE + BOND, 0);
        refund(o);
        has(buyer, PRICE + BOND);
        has(alice, FUNDS - BOND);
        assertEq(reputation.recordOf(alice).missed, 1);
        assertEq(reputation.recordOf(alice).bad, PRICE);
    }

    function test_refund_countsTheBondWhereItWasMore() public {
        Order memory o = orderOf(1);
        o.bond = 2 * PRICE;
        request(o);
        accept(o, alice, true);
        vm.warp(uint256(o.rescueBy) + 1);
        refund(o);
        assertEq(reputation.recordOf(alice).bad, 2 * PRICE);
    }

    function test_refund_givesTheBondBackWhereThereWasNoInput() public {
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, false);
        vm.warp(o.inputBy);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooEarly.selector, o.inputBy));
        refund(o);
        vm.warp(uint256(o.inputBy) + 1);
        vm.expectEmit(address(escrow));
        emit Events.Refunded(idFor(o), alice, PRICE, BOND);
        refund(o);
        has(buyer, PRICE);
        has(alice, FUNDS);
        assertEq(reputation.recordOf(alice).missed, 0);
    }

    function test_refund_givesTheBondBackWhereTheVerifierWasRetired() public {
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, true);
        router.retire();
        vm.warp(uint256(o.rescueBy) + 1);
        refund(o);
        has(buyer, PRICE);
        has(alice, FUNDS);
        assertEq(reputation.recordOf(alice).missed, 0);
    }

    /// @dev Whoever ends an order cannot have the bond go back by leaving too little gas.
    function testFuzz_refund_blamesWhateverGasItHas(uint256 gas) public {
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, true);
        vm.warp(uint256(o.rescueBy) + 1);
        (bool done,) = address(escrow).call{gas: bound(gas, 30_000, 400_000)}(
            abi.encodeCall(escrow.refund, (o))
        );
        has(buyer, done ? PRICE + BOND : 0);
        has(alice, FUNDS - BOND);
        assertEq(reputation.recordOf(alice).missed, done ? 1 : 0);
    }

    /// @dev Nor where the router answers nothing for want of gas, and leaves the rest: what is enough for the refund
    /// is enough for the answer.
    function test_refund_blamesWithTheLeastGasThatSuffices() public {
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, true);
        router.setNeeds(90_000);
        vm.warp(uint256(o.rescueBy) + 1);
        bool done;
        for (uint256 gas = 30_000; !done; gas += 3_000) {
            (done,) = address(escrow).call{gas: gas}(abi.encodeCall(escrow.refund, (o)));
        }
        has(buyer, PRICE + BOND);
        has(alice, FUNDS - BOND);
    }

    /// @dev What is told and what is asked has 100,000 gas: that, the 63rd part that stays here, and 10,000 for the
    /// rest have to be there.
    function test_refund_saysHowMuchGasItNeeds() public {
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, true);
        vm.warp(uint256(o.rescueBy) + 1);
        bytes memory why;
        for (uint256 gas = 30_000; bytes4(why) != Errors.TooLittleGasToTell.selector; gas += 5_000) {
            bool done;
            (done, why) = address(escrow).call{gas: gas}(abi.encodeCall(escrow.refund, (o)));
            assertTrue(!done, "it was enough");
        }
        uint256 needed;
        assembly ("memory-safe") {
            needed := mload(add(why, 68))
        }
        assertEq(needed, 100_000 + 1_587 + 10_000);
    }

    // -- balances ------------------------------------------------------------------------------

    function test_withdraw_paysWhomTheAccountNames() public {
        vm.expectEmit(address(escrow));
        emit Events.Withdrawn(alice, address(token), stranger, 5);
        vm.prank(alice);
        escrow.withdraw(address(token), stranger, 5);
        assertEq(token.balanceOf(stranger), 5);
        has(alice, FUNDS - 5);
        vm.expectRevert(
            abi.encodeWithSelector(
                Errors.BalanceTooLow.selector, alice, address(token), FUNDS - 5, FUNDS - 4
            )
        );
        vm.prank(alice);
        escrow.withdraw(address(token), stranger, FUNDS - 4);
    }

    function test_deposit_countsWhatCame() public {
        token.mint(stranger, 7);
        vm.prank(stranger);
        token.approve(address(escrow), 7);
        vm.expectEmit(address(escrow));
        emit Events.Deposited(stranger, address(token), 7);
        vm.prank(stranger);
        escrow.deposit(address(token), 7);
        has(stranger, 7);
    }

    function test_deposit_refusesATokenThatIsNotListed() public {
        market.setToken(address(token), false, 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.TokenNotListed.selector, address(token)));
        escrow.deposit(address(token), 1);
        // What is in it can be taken out.
        vm.prank(alice);
        escrow.withdraw(address(token), alice, FUNDS);
    }

    function test_depositWithPermit_takesASignature() public {
        Permit memory p = permitOf(buyer, BUYER_KEY, 9);
        vm.prank(buyer);
        escrow.depositWithPermit(address(token), 9, p);
        has(buyer, 9);
    }

    function test_withdrawFees_isForWhoHasTheRole() public {
        Order memory o = orderOf(1);
        request(o);
        accept(o, alice, true);
        deliver(o, alice);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotFeeTaker.selector, alice));
        vm.prank(alice);
        escrow.withdrawFees(address(token), stranger, 6_250);
        vm.expectRevert(
            abi.encodeWithSelector(
                Errors.BalanceTooLow.selector, address(escrow), address(token), 6_250, 6_251
            )
        );
        escrow.withdrawFees(address(token), stranger, 6_251);
        vm.expectEmit(address(escrow));
        emit Events.FeesWithdrawn(address(token), stranger, 6_250);
        escrow.withdrawFees(address(token), stranger, 6_250);
        assertEq(token.balanceOf(stranger), 6_250);
        assertEq(escrow.feesOf(address(token)), 0);
    }

    // -- shares --------------------------------------------------------------------------------

    function testFuzz_shares_sumToPriceAndBond(
        uint128 price,
        uint256 bond,
        uint16 feeBps,
        bool late,
        bool given
    ) public pure {
        bond = bound(bond, 0, 10 * uint256(type(uint128).max));
        uint256 bps = bound(feeBps, 0, 1000);
        Shares memory s = ShareRules.ofDelivery(price, bond, bps, late, given);
        assertEq(s.deliverer + s.acceptor + s.buyer + s.fee, price + bond);
        assertTrue(s.fee <= price / 10, "a tenth at most");
        assertTrue(s.deliverer >= price - s.fee, "who delivers has the price");
        if (late && given) {
            assertTrue(s.buyer >= bond - s.buyer && s.buyer <= bond / 2 + 1, "half to the buyer");
        } else {
            assertEq(s.acceptor, bond);
        }
        s = ShareRules.ofRefund(price, bond, given);
        assertEq(s.deliverer + s.fee, 0);
        assertEq(s.buyer, given ? price + bond : price);
        assertEq(s.buyer + s.acceptor, price + bond);
    }
}
