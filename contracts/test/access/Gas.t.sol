// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessPlans} from "./AccessPlans.sol";

/// @dev What it takes an escrow, inside of its own transaction, to take a call out of a right: the contracts are cold.
contract AccessGasTest is AccessPlans {
    bytes32 private pack;
    bytes32 private packOfBob;
    bytes32 private pass;
    bytes32 private subscription;
    bytes32 private free;

    function setUp() public {
        deployAll();
        bytes32 plan = make(packTerms());
        pack = buyAs(ALICE, plan);
        packOfBob = buyAs(BOB, plan);
        consumeFor(BOB, packOfBob);
        pass = buyAs(ALICE, make(passTerms()));
        subscription = make(subscriptionTerms());
        subscribeAs(ALICE, subscription, 0);
        free = make(freeTerms());
    }

    function test_gas_firstCallOfAPack() public {
        consume("pack, first call", ALICE, MODEL, pack, 60_000);
    }

    function test_gas_laterCallOfAPack() public {
        consume("pack, second call", BOB, MODEL, packOfBob, 40_000);
    }

    function test_gas_callOfTheSecondVersion() public {
        consume("pack, second call, of the second version", BOB, SECOND, packOfBob, 40_000);
    }

    function test_gas_callOfARefundablePass() public {
        consume("pass, refundable", ALICE, MODEL, pass, 60_000);
    }

    function test_gas_callOfAPass() public {
        vm.warp(block.timestamp + 1 days);
        consume("pass, after its refund window", ALICE, MODEL, pass, 40_000);
    }

    function test_gas_firstCallOfASubscription() public {
        consume("subscription, first call", ALICE, MODEL, subscription, 60_000);
    }

    function test_gas_firstFreeCall() public {
        consume("free, first call", ALICE, MODEL, free, 70_000);
    }

    function consume(string memory what, address who, bytes32 version, bytes32 right, uint256 most)
        private
    {
        address paidIn = address(token);
        vm.prank(ESCROW);
        uint256 start = gasleft();
        access.consume(who, version, paidIn, right);
        uint256 gas = start - gasleft();
        vm.snapshotValue("access", what, gas);
        assertTrue(gas < most, "too much gas");
    }
}
