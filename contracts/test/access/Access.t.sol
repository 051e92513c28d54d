// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {AccessPlans} from "./AccessPlans.sol";
import {Errors} from "../../src/Errors.sol";
import {Events} from "../../src/Events.sol";
import {PlanTerms} from "../../src/access/Plans.sol";

contract AccessTest is AccessPlans {
    function setUp() public {
        deployAll();
    }

    // -- per call ------------------------------------------------------------------------------

    function test_perCall_costsWhatTheRegistrySays() public {
        (bool entitled, uint256 price) = access.entitlement(ALICE, MODEL, address(token), 0);
        assertTrue(entitled, "not entitled");
        assertEq(price, PRICE);
        assertEq(consumeFor(ALICE, 0), PRICE);
        restoreFor(ALICE, 0);
        (entitled, price) = access.entitlement(ALICE, MODEL, ESCROW, 0);
        assertTrue(!entitled && price == 0, "another token is taken");
        (entitled,) = access.entitlement(ALICE, keccak256("nothing"), address(token), 0);
        assertTrue(!entitled, "what is not registered is sold");
        vm.prank(ESCROW);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotEntitled.selector, ALICE, MODEL, 0));
        access.consume(ALICE, MODEL, ESCROW, 0);
    }

    // -- who may -------------------------------------------------------------------------------

    function test_consume_isForConsumersAlone() public {
        bytes32 right = buyAs(ALICE, make(packTerms()));
        address paidIn = address(token);
        address[3] memory others = [thief, provider, OWNER];
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(Errors.NotAConsumer.selector, others[i]));
            access.consume(ALICE, MODEL, paidIn, right);
        }
        vm.prank(thief);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAConsumer.selector, thief));
        access.consume(ALICE, MODEL, paidIn, 0);
        vm.prank(ESCROW);
        vm.expectEmit(address(access));
        emit Events.CallConsumed(right, ALICE, ESCROW, MODEL);
        access.consume(ALICE, MODEL, paidIn, right);
    }

    function test_setConsumer_isTheOwnersAlone() public {
        vm.prank(thief);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, thief));
        access.setConsumer(thief, true);
        bytes32 right = buyAs(ALICE, make(packTerms()));
        consumeFor(ALICE, right);
        vm.prank(OWNER);
        vm.expectEmit(address(access));
        emit Events.ConsumerSet(ESCROW, false);
        access.setConsumer(ESCROW, false);
        vm.prank(ESCROW);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAConsumer.selector, ESCROW));
        access.consume(ALICE, MODEL, address(token), right);
        // What it took it may give back: a refund waits for nobody's leave.
        restoreFor(ALICE, right);
        assertEq(access.purchaseOf(right).used, 0);
    }

    function test_ownership_movesInTwoSteps() public {
        vm.prank(OWNER);
        access.transferOwnership(BOB);
        assertEq(access.owner(), OWNER);
        vm.prank(BOB);
        access.acceptOwnership();
        assertEq(access.owner(), BOB);
    }

    // -- giving back ---------------------------------------------------------------------------

    function test_restore_givesNoMoreThanWasTaken() public {
        bytes32 right = buyAs(ALICE, make(packTerms()));
        consumeBy(GATEWAY, ALICE, right);
        consumeFor(ALICE, right);
        assertEq(access.takenBy(ESCROW, right, ALICE), 1);
        // Neither who took nothing, nor in the name of whom nothing was taken.
        vm.prank(thief);
        access.restore(ALICE, MODEL, right);
        restoreFor(BOB, right);
        assertEq(access.purchaseOf(right).used, 2);
        vm.prank(ESCROW);
        vm.expectEmit(address(access));
        emit Events.CallRestored(right, ALICE, ESCROW, MODEL);
        access.restore(ALICE, MODEL, right);
        assertEq(access.purchaseOf(right).used, 1);
        // Not twice: the other call was the gateway's.
        restoreFor(ALICE, right);
        assertEq(access.purchaseOf(right).used, 1);
        assertEq(access.takenBy(GATEWAY, right, ALICE), 1);
    }

    function test_restore_ofAPassThatCannotBeGivenBackDoesNothing() public {
        bytes32 right = buyAs(ALICE, make(passTerms()));
        consumeFor(ALICE, right);
        vm.warp(block.timestamp + 1 days);
        consumeFor(ALICE, right);
        assertEq(access.purchaseOf(right).used, 1);
        restoreFor(ALICE, right);
        restoreFor(ALICE, right);
        assertEq(access.purchaseOf(right).used, 0);
        checkEntitled(ALICE, right);
    }

    // -- free ----------------------------------------------------------------------------------

    function test_free_isSoManyCallsForEachBuyerAndPeriod() public {
        bytes32 plan = make(freeTerms());
        vm.warp(block.timestamp / 1 days * 1 days + 1 days);
        consumeFor(ALICE, plan);
        assertEq(consumeFor(ALICE, plan), 0);
        checkRefused(ALICE, plan);
        checkEntitled(BOB, plan);
        restoreFor(ALICE, plan);
        consumeFor(ALICE, plan);
        checkRefused(ALICE, plan);
        vm.warp(block.timestamp + 1 days - 1);
        checkRefused(ALICE, plan);
        vm.warp(block.timestamp + 1);
        checkEntitled(ALICE, plan);
        // Those of yesterday are over, also where they were not used.
        restoreFor(ALICE, plan);
        consumeFor(ALICE, plan);
        restoreFor(ALICE, plan);
        restoreFor(ALICE, plan);
        consumeFor(ALICE, plan);
        consumeFor(ALICE, plan);
        checkRefused(ALICE, plan);
    }

    function test_free_endsWithThePlan() public {
        bytes32 plan = make(freeTerms());
        checkEntitled(ALICE, plan);
        update(plan, 0, false);
        checkRefused(ALICE, plan);
    }

    // -- packs and passes ----------------------------------------------------------------------

    function test_pack_isSoManyCalls() public {
        PlanTerms memory t = packTerms();
        bytes32 right = buyAs(ALICE, make(t));
        for (uint256 i = 0; i < t.calls; ++i) {
            assertEq(consumeFor(ALICE, right), 0);
        }
        checkRefused(ALICE, right);
        checkRefused(BOB, right);
    }

    function test_pack_withAnEndEndsAtItsVerySecond() public {
        PlanTerms memory t = packTerms();
        t.span = WEEK;
        bytes32 right = buyAs(ALICE, make(t));
        vm.warp(block.timestamp + WEEK - 1);
        consumeFor(ALICE, right);
        vm.warp(block.timestamp + 1);
        checkRefused(ALICE, right);
        restoreFor(ALICE, right);
        checkRefused(ALICE, right);
    }

    function test_pass_endsAtItsVerySecond() public {
        bytes32 right = buyAs(ALICE, make(passTerms()));
        vm.warp(block.timestamp + WEEK - 1);
        consumeFor(ALICE, right);
        consumeFor(ALICE, right);
        vm.warp(block.timestamp + 1);
        checkRefused(ALICE, right);
    }

    // -- whose versions ------------------------------------------------------------------------

    function test_plan_isForEveryVersionOfItsModel() public {
        bytes32 right = buyAs(ALICE, make(passTerms()));
        address paidIn = address(token);
        (bool entitled,) = access.entitlement(ALICE, SECOND, paidIn, right);
        assertTrue(entitled, "not for another version");
        bytes32[2] memory others = [FOREIGN, keccak256("nothing")];
        for (uint256 i = 0; i < 2; ++i) {
            (entitled,) = access.entitlement(ALICE, others[i], paidIn, right);
            assertTrue(!entitled, "for another model");
            vm.prank(ESCROW);
            vm.expectRevert(
                abi.encodeWithSelector(Errors.NotEntitled.selector, ALICE, others[i], right)
            );
            access.consume(ALICE, others[i], paidIn, right);
        }
        // It stays when the model changes hands, and the plan is closed.
        sell(BOB);
        vm.prank(BOB);
        access.updatePlan(right & ~bytes32(uint256(type(uint64).max)), 1, false);
        checkEntitled(ALICE, right);
    }

    function test_plan_isKnownByItsNameAlone() public {
        bytes32[3] memory plans = [make(freeTerms()), make(subscriptionTerms()), make(loadTerms())];
        subscribeAs(ALICE, plans[1], 0);
        for (uint256 i = 0; i < 3; ++i) {
            checkEntitled(ALICE, plans[i]);
            checkRefused(ALICE, plans[i] | bytes32(uint256(1)));
        }
        // Nor does a pass plan itself give anything.
        checkRefused(ALICE, make(passTerms()));
        checkRefused(ALICE, keccak256("nothing"));
    }

    // -- load ----------------------------------------------------------------------------------

    function test_load_priceFollowsTheLastWindow() public {
        bytes32 plan = make(loadTerms());
        vm.warp(block.timestamp / 1 hours * 1 hours);
        for (uint256 i = 0; i < 5; ++i) {
            // Nobody moves the price of the window itself.
            assertEq(consumeFor(ALICE, plan), COST);
        }
        vm.warp(block.timestamp + 1 hours);
        assertEq(access.loadOf(plan), 5);
        assertEq(consumeFor(ALICE, plan), COST + 3 * COST / 2);
        for (uint256 i = 0; i < 20; ++i) {
            consumeFor(BOB, plan);
        }
        // Restoring gives no call back that was not bought, and the load was there.
        restoreFor(BOB, plan);
        vm.warp(block.timestamp + 1 hours);
        assertEq(access.loadOf(plan), 21);
        assertEq(consumeFor(ALICE, plan), 4 * COST);
        vm.warp(block.timestamp + 2 hours);
        assertEq(consumeFor(ALICE, plan), COST);
    }

    function test_load_isOfItsTokenAndAnOpenPlan() public {
        bytes32 plan = make(loadTerms());
        (bool entitled, uint256 price) = access.entitlement(ALICE, MODEL, address(registry), plan);
        assertTrue(!entitled && price == 0, "another token is taken");
        update(plan, COST, false);
        checkRefused(ALICE, plan);
        assertEq(access.loadOf(keccak256("nothing")), 0);
    }

    function testFuzz_load_neverCostsMoreThanItsCap(uint96 price, uint96 cap, uint8 calls) public {
        PlanTerms memory t = loadTerms();
        (price, cap) = price < cap ? (price, cap) : (cap, price);
        t.cap = cap;
        bytes32 plan = make(t, price);
        for (uint256 i = 0; i < calls % 16; ++i) {
            consumeFor(ALICE, plan);
        }
        vm.warp(block.timestamp + 1 hours);
        uint256 asked = consumeFor(ALICE, plan);
        assertTrue(asked >= price && asked <= cap, "out of bounds");
    }

    // -- fuzz ----------------------------------------------------------------------------------

    /// @dev Calls of a pack, whoever takes them and gives them back: never more than were bought.
    function testFuzz_pack_isNeverMoreThanBought(uint8[40] calldata steps) public {
        bytes32 right = buyAs(ALICE, make(packTerms()));
        address[2] memory holders = [ALICE, BOB];
        address[2] memory consumers = [ESCROW, GATEWAY];
        uint256[2][2] memory open;
        uint256 holder;
        uint256 used;
        for (uint256 i = 0; i < steps.length; ++i) {
            uint256 step = steps[i];
            uint256 who = step / 4 % 2;
            uint256 by = step / 8 % 2;
            if (step % 4 == 0) {
                handOn(holders[holder], holders[1 - holder], right);
                holder = 1 - holder;
            } else if (step % 4 == 1) {
                vm.prank(consumers[by]);
                access.restore(holders[who], MODEL, right);
                if (open[by][who] != 0) (open[by][who], used) = (open[by][who] - 1, used - 1);
            } else if (who == holder && used < 3) {
                consumeBy(consumers[by], holders[who], right);
                (open[by][who], used) = (open[by][who] + 1, used + 1);
            } else {
                checkRefused(holders[who], right);
            }
            assertEq(access.purchaseOf(right).used, used);
        }
    }

    function test_interfaces_areThoseOfTokens() public view {
        assertTrue(access.supportsInterface(type(IERC1155).interfaceId), "no ERC-1155");
        assertTrue(!access.supportsInterface(0xffffffff), "anything");
    }
}
