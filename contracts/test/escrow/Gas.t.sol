// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Orders, TestRouter} from "./Orders.sol";
import {GasMeter} from "../GasMeter.sol";
import {AccessRules} from "../../src/access/AccessRules.sol";
import {Permit} from "../../src/escrow/Balances.sol";
import {Escrow} from "../../src/escrow/Escrow.sol";
import {Order} from "../../src/escrow/Order.sol";
import {Router} from "../../src/verification/Router.sol";
import {Claim} from "../../src/verification/StatementVerifier.sol";

/// @dev A router without verifiers: it reads what a router reads, and takes every proof.
contract QuietRouter is Router {
    struct Entry {
        address adapter;
        uint8 assurance;
        bool retired;
        string system;
    }

    mapping(bytes4 selector => Entry) private entries;

    constructor(bytes4 selector) {
        entries[selector] = Entry(address(this), 4, false, "sumcheck");
    }

    function verify(bytes4 selector, Claim calldata, bytes calldata) external view {
        require(!entries[selector].retired && entries[selector].adapter != address(0));
    }

    function assuranceOf(bytes4 selector) external view returns (uint8) {
        require(!entries[selector].retired && entries[selector].adapter != address(0));
        return entries[selector].assurance;
    }

    function systemOf(bytes4 selector) external view returns (string memory) {
        require(!entries[selector].retired && entries[selector].adapter != address(0));
        return entries[selector].system;
    }
}

/// @dev At a first use the buyer or the server has nothing yet of what is written of it; in the steady state it has.
/// The very first order of all in a token also fills the escrow's own slots, and has no bound.
contract GasTest is Orders, GasMeter {
    address private first = address(0xF125);
    address private newBuyer;
    Escrow private steady;
    /// @dev Where nobody has anything; where a server has put in its bond; where it has staked it.
    Escrow private untouched;
    Escrow private funded;
    Escrow private staked;
    mapping(Escrow => Permit) private permits;

    function setUp() public {
        build();
        market.setAdmission(1, 2);
        market.setServer(first, true);
        router = TestRouter(address(new QuietRouter(0x0a0b0c0d)));
        (untouched, funded) = (another(), another());
        (staked, steady) = (another(), another());
        newBuyer = vm.addr(THIEF_KEY);
        token.mint(newBuyer, FUNDS);

        escrow = untouched;
        permits[escrow] = permitOf(newBuyer, THIEF_KEY, PRICE);

        escrow = funded;
        fund(first, address(token), 2 * BOND);
        request(orderOf(1));
        permits[escrow] = permitOf(newBuyer, THIEF_KEY, PRICE);

        escrow = staked;
        fund(alice, address(token), FUNDS);
        fund(first, address(token), 2 * BOND);
        request(orderOf(1));
        accept(orderOf(1), first, true);
        request(orderOf(2));
        accept(orderOf(2), alice, true);
        deliver(orderOf(2), alice);

        escrow = steady;
        fund(alice, address(token), FUNDS);
        fund(buyer, address(token), 1);
        Permit memory p = permitOf(buyer, BUYER_KEY, 1);
        token.permit(buyer, address(escrow), 1, p.deadline, p.v, p.r, p.s);
        // One order is delivered, two are accepted, and one is left open.
        for (uint256 i = 1; i <= 4; ++i) {
            request(orderOf(i));
            if (i != 4) accept(orderOf(i), alice, true);
        }
        deliver(orderOf(1), alice);
        permits[escrow] = permitOf(buyer, BUYER_KEY, PRICE);
    }

    // -- first use -----------------------------------------------------------------------------

    function test_gas_requestTakesAtMost170000AtFirst() public {
        uint256 gas = requestGas("a buyer's first request, with permit", funded);
        assertTrue(gas <= 170_000, "dearer than 170,000");
        assertTrue(gas > 120_000, "the measurement misses something");
    }

    function test_gas_ofTheVeryFirstRequest() public {
        requestGas("the very first request, with permit", untouched);
    }

    function test_gas_acceptTakesAtMost110000AtFirst() public {
        uint256 gas = acceptGas("a server's first accept", funded, first, 1);
        assertTrue(gas <= 110_000, "dearer than 110,000");
        assertTrue(gas > 55_000, "the measurement misses something");
    }

    function test_gas_deliverTakesAtMost140000AtFirst() public {
        uint256 gas = deliverGas("a server's first deliver", staked, first, 1);
        assertTrue(gas <= 140_000, "dearer than 140,000");
        assertTrue(gas > 100_000, "the measurement misses something");
    }

    function test_gas_refundTakesAtMost80000AtFirst() public {
        uint256 gas = refundGas("a buyer's first refund of an open order", funded, 1, 11 minutes);
        assertTrue(gas <= 80_000, "dearer than 80,000");
        assertTrue(gas > 50_000, "the measurement misses something");
    }

    function test_gas_refundOfAFailedOrderAtFirst() public {
        refundGas(
            "a buyer's first refund of a server's first order, which failed", staked, 1, 3 hours
        );
    }

    // -- steady state --------------------------------------------------------------------------

    function test_gas_requestTakesAtMost170000() public {
        uint256 gas = requestGas("request, with permit", steady);
        assertTrue(gas <= 170_000, "dearer than 170,000");
    }

    function test_gas_acceptTakesAtMost110000() public {
        uint256 gas = acceptGas("accept", steady, alice, 4);
        assertTrue(gas <= 110_000, "dearer than 110,000");
    }

    function test_gas_deliverTakesAtMost140000() public {
        uint256 gas = deliverGas("deliver", steady, alice, 2);
        assertTrue(gas <= 140_000, "dearer than 140,000");
    }

    function test_gas_refundTakesAtMost80000() public {
        uint256 gas = refundGas("refund of an open order", steady, 4, 11 minutes);
        assertTrue(gas <= 80_000, "dearer than 80,000");
    }

    function test_gas_refundOfAFailedOrder() public {
        uint256 gas = refundGas("refund of an order that failed", steady, 2, 3 hours);
        assertTrue(gas <= 80_000, "dearer than 80,000");
    }

    // -- inside --------------------------------------------------------------------------------

    function another() private returns (Escrow) {
        return escrowWith(AccessRules(address(0)));
    }

    function requestGas(string memory what, Escrow where) private returns (uint256) {
        escrow = where;
        Order memory o = orderOf(77);
        if (where != steady) o.buyer = newBuyer;
        return
            transaction(
                what, o.buyer, abi.encodeCall(escrow.requestWithPermit, (o, permits[where]))
            );
    }

    function acceptGas(string memory what, Escrow where, address server, uint256 salt)
        private
        returns (uint256)
    {
        escrow = where;
        return transaction(what, server, abi.encodeCall(escrow.accept, (orderOf(salt), true)));
    }

    function deliverGas(string memory what, Escrow where, address server, uint256 salt)
        private
        returns (uint256)
    {
        escrow = where;
        bytes memory data =
            abi.encodeCall(escrow.deliver, (orderOf(salt), outputsOf(7), new bytes(0)));
        return transaction(what, server, data);
    }

    function refundGas(string memory what, Escrow where, uint256 salt, uint256 later)
        private
        returns (uint256)
    {
        escrow = where;
        Order memory o = orderOf(salt);
        vm.warp(block.timestamp + later);
        return transaction(what, stranger, abi.encodeCall(escrow.refund, (o)));
    }

    function transaction(string memory what, address who, bytes memory data)
        private
        returns (uint256 gas)
    {
        gas = measured(who, address(escrow), data);
        vm.snapshotValue("escrow", what, gas);
    }
}
