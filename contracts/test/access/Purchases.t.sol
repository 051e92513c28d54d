// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {AccessPlans} from "./AccessPlans.sol";
import {CrookedToken, HookedToken, Reentering} from "./Tokens.sol";
import {Errors} from "../../src/Errors.sol";
import {Events} from "../../src/Events.sol";
import {PlanTerms} from "../../src/access/Plans.sol";
import {Purchase} from "../../src/access/Purchases.sol";
import {Rolling} from "../../src/access/Rolling.sol";

contract PurchasesTest is AccessPlans {
    bytes32 private pass;
    bytes32 private pack;

    function setUp() public {
        deployAll();
        pass = make(passTerms());
        pack = make(packTerms());
    }

    // -- buying --------------------------------------------------------------------------------

    function test_buy_givesAPassOfItsOwn() public {
        bytes32 right = pass | bytes32(uint256(1));
        vm.prank(ALICE);
        vm.expectEmit(address(access));
        emit Events.Bought(pass, right, ALICE, provider, COST, block.timestamp + WEEK);
        assertEq(access.buy(pass, COST), right);
        assertEq(access.balanceOf(ALICE, uint256(right)), 1);
        assertEq(token.balanceOf(address(access)), COST);
        Purchase memory got = access.purchaseOf(right);
        assertEq(got.refundUntil, block.timestamp + 1 days);
        assertEq(got.calls, 0);
        assertEq(got.until, block.timestamp + WEEK);
        assertEq(got.used, 0);
        assertEq(got.paid, COST);
        // Another one is another token.
        assertEq(buyAs(BOB, pass), pass | bytes32(uint256(2)));
        checkRefused(ALICE, pass | bytes32(uint256(2)));
        checkRefused(ALICE, pass);
        checkEntitled(ALICE, right);
    }

    function test_buy_paysNoMoreThanTheLimit() public {
        // The owner raises the price between the buyer's look and the purchase.
        update(pass, COST + 1, true);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.PriceAbove.selector, COST + 1, COST));
        access.buy(pass, COST);
        update(pass, COST, true);
        buyAs(ALICE, pass);
    }

    function test_buy_isOfAnOpenPlan() public {
        bytes32 before = buyAs(ALICE, pass);
        update(pass, COST, false);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.PlanClosed.selector, pass));
        access.buy(pass, COST);
        // What was bought stays.
        checkEntitled(ALICE, before);
        consumeFor(ALICE, before);
    }

    function test_buy_isOfAPassOrAPack() public {
        bytes32[3] memory others = [make(freeTerms()), make(subscriptionTerms()), make(loadTerms())];
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(ALICE);
            vm.expectRevert(abi.encodeWithSelector(Errors.WrongPlanKind.selector, others[i]));
            access.buy(others[i], COST);
        }
        bytes32 right = buyAs(ALICE, pass);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownPlan.selector, right));
        access.buy(right, COST);
    }

    function test_buy_forNothingMovesNothing() public {
        update(pass, 0, true);
        bytes32 right = buyAs(address(0x1D1E), pass);
        checkEntitled(address(0x1D1E), right);
        refundAs(address(0x1D1E), right);
    }

    // -- tokens that lie -----------------------------------------------------------------------

    function test_buy_refusesWhatDoesNotArrive() public {
        CrookedToken crooked = new CrookedToken();
        bytes32 plan = planIn(address(crooked));
        crooked.mint(ALICE, FUNDS);
        vm.prank(ALICE);
        crooked.approve(address(access), FUNDS);
        crooked.set(CrookedToken.Way.Fee);
        notBought(
            plan,
            abi.encodeWithSelector(
                Errors.PurchaseNotExact.selector, crooked, COST, COST - COST / 100
            )
        );
        crooked.set(CrookedToken.Way.Silent);
        notBought(plan, abi.encodeWithSelector(Errors.PurchaseNotExact.selector, crooked, COST, 0));
        crooked.set(CrookedToken.Way.False);
        notBought(
            plan, abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, crooked)
        );
        crooked.set(CrookedToken.Way.Straight);
        buyAs(ALICE, plan);
        // A balance is not lost where the token refuses.
        vm.warp(block.timestamp + 2 days);
        access.mature(plan, provider);
        crooked.set(CrookedToken.Way.False);
        vm.prank(provider);
        vm.expectRevert(
            abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, crooked)
        );
        access.withdraw(address(crooked));
        crooked.set(CrookedToken.Way.Straight);
        vm.prank(provider);
        assertEq(access.withdraw(address(crooked)), COST);
    }

    function test_buy_isNotEnteredAgainByItsReceiver() public {
        Reentering buyer = new Reentering(access);
        fund(address(buyer));
        bytes32 right = pass | bytes32(uint256(1));
        bytes[4] memory calls = [
            abi.encodeCall(access.buy, (pass, COST)),
            abi.encodeCall(access.refund, (right)),
            abi.encodeCall(access.withdraw, (address(token))),
            abi.encodeCall(access.subscribe, (pass, COST, 1, 1))
        ];
        bytes memory buying = abi.encodeCall(access.buy, (pass, COST));
        for (uint256 i = 0; i < calls.length; ++i) {
            buyer.prepare(calls[i]);
            buyer.run(address(access), buying);
            assertTrue(buyer.came() && !buyer.succeeded(), "it came in again");
            assertEq(
                keccak256(buyer.answer()),
                keccak256(
                    abi.encodeWithSelector(
                        ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector
                    )
                )
            );
        }
        assertEq(token.balanceOf(address(access)), 4 * COST);
    }

    function test_buy_isNotEnteredAgainByItsToken() public {
        HookedToken hooked = new HookedToken();
        bytes32 plan = planIn(address(hooked));
        Reentering buyer = new Reentering(access);
        hooked.mint(address(buyer), FUNDS);
        buyer.run(address(hooked), abi.encodeCall(hooked.approve, (address(access), FUNDS)));
        buyer.prepare(abi.encodeCall(access.buy, (plan, COST)));
        buyer.run(address(access), abi.encodeCall(access.buy, (plan, COST)));
        assertTrue(buyer.came() && !buyer.succeeded(), "it came in again");
        assertEq(hooked.balanceOf(address(access)), COST);
        assertEq(access.planOf(plan).sold, 1);
    }

    function test_buy_isNotForAContractThatTakesNoTokens() public {
        address deaf = address(token);
        token.mint(deaf, FUNDS);
        vm.prank(deaf);
        token.approve(address(access), FUNDS);
        vm.prank(deaf);
        vm.expectRevert(
            abi.encodeWithSelector(IERC1155Errors.ERC1155InvalidReceiver.selector, deaf)
        );
        access.buy(pass, COST);
    }

    // -- handing on ----------------------------------------------------------------------------

    function test_transfer_isOfWhatMayBeHandedOn() public {
        bytes32 bound_ = buyAs(ALICE, pass);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.Soulbound.selector, bound_));
        access.safeTransferFrom(ALICE, BOB, uint256(bound_), 1, "");
        bytes32 free = buyAs(ALICE, pack);
        // Not beside one that may be, either.
        uint256[] memory ids = new uint256[](2);
        (ids[0], ids[1]) = (uint256(free), uint256(bound_));
        uint256[] memory ones = new uint256[](2);
        (ones[0], ones[1]) = (1, 1);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.Soulbound.selector, bound_));
        access.safeBatchTransferFrom(ALICE, BOB, ids, ones, "");
        handOn(ALICE, BOB, free);
        checkEntitled(BOB, free);
        checkRefused(ALICE, free);
    }

    function test_transfer_ofAPassTakesItsTimeAlong() public {
        PlanTerms memory t = passTerms();
        t.transferable = true;
        bytes32 right = buyAs(ALICE, make(t));
        vm.warp(block.timestamp + WEEK - 1);
        handOn(ALICE, BOB, right);
        checkEntitled(BOB, right);
        vm.warp(block.timestamp + 1);
        checkRefused(BOB, right);
        handOn(BOB, ALICE, right);
        checkRefused(ALICE, right);
    }

    function test_transfer_ofAPackInUseGivesNoCallTwice() public {
        bytes32 right = buyAs(ALICE, pack);
        consumeFor(ALICE, right);
        consumeFor(ALICE, right);
        handOn(ALICE, BOB, right);
        checkRefused(ALICE, right);
        consumeFor(BOB, right);
        checkRefused(BOB, right);
        // An order of the first holder is refunded: its call is in the pack again, once.
        restoreFor(ALICE, right);
        consumeFor(BOB, right);
        checkRefused(BOB, right);
        // Nobody gives back in another's name what only that one took.
        restoreFor(ALICE, right);
        restoreFor(ALICE, right);
        assertEq(access.purchaseOf(right).used, 2);
        restoreFor(BOB, right);
        restoreFor(BOB, right);
        restoreFor(BOB, right);
        assertEq(access.purchaseOf(right).used, 0);
    }

    // -- giving back ---------------------------------------------------------------------------

    function test_refund_givesThePriceBack() public {
        bytes32 right = buyAs(ALICE, pass);
        // What the owner asks from others meanwhile does not matter, and whether the plan is offered.
        update(pass, 2 * COST, false);
        vm.warp(block.timestamp + 1 days - 1);
        vm.prank(ALICE);
        vm.expectEmit(address(access));
        emit Events.PurchaseRefunded(right, ALICE, COST);
        access.refund(right);
        checkOwned(ALICE, COST);
        checkRefused(ALICE, right);
        assertEq(withdrawAs(ALICE), COST);
        assertEq(token.balanceOf(ALICE), FUNDS);
        vm.warp(block.timestamp + 2 days);
        access.mature(pass, provider);
        checkOwned(provider, 0);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownPurchase.selector, right));
        access.refund(right);
    }

    function test_refund_isWithinItsWindow() public {
        bytes32 right = buyAs(ALICE, pass);
        uint256 end = block.timestamp + 1 days;
        vm.warp(end);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.RefundOver.selector, right, end));
        access.refund(right);
        PlanTerms memory t = passTerms();
        t.refundWindow = 0;
        bytes32 never = buyAs(ALICE, make(t));
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.RefundOver.selector, never, block.timestamp));
        access.refund(never);
        checkOwned(provider, COST);
    }

    function test_refund_isForWhoBoughtAndHoldsIt() public {
        bytes32 right = buyAs(ALICE, pack);
        notRefunded(BOB, right, Errors.NotThePurchaser.selector);
        handOn(ALICE, BOB, right);
        notRefunded(ALICE, right, Errors.NotThePurchaser.selector);
        notRefunded(BOB, right, Errors.NotThePurchaser.selector);
        handOn(BOB, ALICE, right);
        refundAs(ALICE, right);
    }

    function test_refund_isOfTheUnused() public {
        bytes32[2] memory rights = [buyAs(ALICE, pass), buyAs(ALICE, pack)];
        for (uint256 i = 0; i < 2; ++i) {
            consumeFor(ALICE, rights[i]);
            vm.prank(ALICE);
            vm.expectRevert(abi.encodeWithSelector(Errors.AlreadyUsed.selector, rights[i], 1));
            access.refund(rights[i]);
            restoreFor(ALICE, rights[i]);
            refundAs(ALICE, rights[i]);
        }
        checkOwned(ALICE, 2 * COST);
    }

    function test_refund_isNotForUseByAnother() public {
        // Used by who it was lent to, and handed back: it is used.
        bytes32 right = buyAs(ALICE, pack);
        handOn(ALICE, BOB, right);
        consumeFor(BOB, right);
        handOn(BOB, ALICE, right);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.AlreadyUsed.selector, right, 1));
        access.refund(right);
    }

    // -- whose the money is --------------------------------------------------------------------

    function test_money_isThePayeesOnceNobodyCanGiveBack() public {
        vm.warp(1_800_000_000 / uint256(1 days) * 1 days + 3 days);
        uint256 start = block.timestamp;
        buyAs(ALICE, pass);
        vm.warp(start + 1 days - 1);
        bytes32 last = buyAs(BOB, pass);
        access.mature(pass, provider);
        checkOwned(provider, 0);
        vm.warp(start + 2 days - 2);
        access.mature(pass, provider);
        checkOwned(provider, 0);
        refundAs(BOB, last);
        vm.warp(start + 2 days);
        vm.expectEmit(address(access));
        emit Events.EarningsMatured(pass, provider, COST);
        access.mature(pass, provider);
        access.mature(pass, provider);
        checkOwned(provider, COST);
        assertEq(withdrawAs(provider), COST);
        vm.prank(provider);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.NothingEarned.selector, provider, address(token))
        );
        access.withdraw(address(token));
    }

    function test_money_maturesByTheNextPurchase() public {
        buyAs(ALICE, pass);
        vm.warp(block.timestamp + 2 days);
        buyAs(BOB, pass);
        checkOwned(provider, COST);
        Rolling memory sums = access.tillOf(pass, provider);
        assertEq(uint256(sums.current) + sums.previous, COST);
    }

    function test_money_isTheOwnersAtThePurchase() public {
        bytes32 first = buyAs(ALICE, pass);
        buyAs(ALICE, pass);
        sell(BOB);
        buyAs(ALICE, pass);
        // One of those that the former owner sold comes back: out of the former owner's till.
        refundAs(ALICE, first);
        vm.warp(block.timestamp + 2 days);
        access.mature(pass, provider);
        access.mature(pass, BOB);
        checkOwned(provider, COST);
        checkOwned(BOB, COST);
    }

    function test_mature_isOfAPlan() public {
        bytes32 nothing = keccak256("nothing");
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownPlan.selector, nothing));
        access.mature(nothing, provider);
        access.mature(make(subscriptionTerms()), provider);
    }

    // -- helpers -------------------------------------------------------------------------------

    function planIn(address paidIn) private returns (bytes32) {
        PlanTerms memory t = passTerms();
        t.token = paidIn;
        return make(t);
    }

    function notBought(bytes32 plan, bytes memory why) private {
        vm.prank(ALICE);
        vm.expectRevert(why);
        access.buy(plan, COST);
    }

    function notRefunded(address who, bytes32 right, bytes4 why) private {
        vm.prank(who);
        vm.expectRevert(abi.encodeWithSelector(why, right, who));
        access.refund(right);
    }
}
