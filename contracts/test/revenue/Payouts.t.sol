// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Authorizations} from "../Authorizations.sol";
import {CallingCoin} from "../escrow/Tokens.sol";
import {MoodyToken} from "./PayoutTokens.sol";
import {DevnetUSD} from "../../src/DevnetUSD.sol";
import {Errors} from "../../src/Errors.sol";
import {Events} from "../../src/Events.sol";
import {Funding, PayoutItem, Payouts} from "../../src/revenue/Payouts.sol";

contract PayoutsTest is Authorizations {
    uint256 private constant PAYER_KEY = 0xA11CE;
    uint256 private constant NOW = 1_800_000_000;
    address private constant ANN = address(0xA001);
    address private constant BEN = address(0xB002);
    address private constant CAT = address(0xC003);
    bytes32 private constant FIRST = bytes32(uint256(0xabcd00));

    MoodyToken private moody;
    DevnetUSD private usd;
    Payouts private payouts;
    address private payer;

    function setUp() public {
        vm.warp(NOW);
        payer = vm.addr(PAYER_KEY);
        moody = new MoodyToken();
        usd = new DevnetUSD(address(this));
        payouts = new Payouts();
        moody.mint(payer, 1e12);
        usd.mint(payer, 1e12);
        vm.prank(payer);
        moody.approve(address(payouts), type(uint256).max);
    }

    // -- paying --------------------------------------------------------------------------------

    function test_pay_paysEachItemOnce() public {
        PayoutItem[] memory items = three();
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit(address(payouts));
            emit Events.PaidOut(payer, items[i].id, items[i].to, address(moody), items[i].amount);
        }
        pay(items);
        assertEq(moody.balanceOf(ANN), 100);
        assertEq(moody.balanceOf(BEN), 200);
        assertEq(moody.balanceOf(CAT), 300);
        assertEq(moody.balanceOf(payer), 1e12 - 600);
        assertEq(moody.balanceOf(address(payouts)), 0);
        for (uint256 i = 0; i < 3; ++i) {
            assertTrue(payouts.isPaid(payer, items[i].id), "not paid");
        }
        assertTrue(!payouts.isPaid(payer, bytes32(uint256(FIRST) + 3)), "paid too much");
        assertEq(payouts.paidBits(payer, items[1].id), 7);
    }

    function test_pay_refusesAnIdThatWasPaid() public {
        PayoutItem[] memory items = three();
        pay(items);
        items[0].id = bytes32(uint256(FIRST) + 9);
        refused(items, abi.encodeWithSelector(Errors.AlreadyPaid.selector, payer, items[1].id));
        // Nothing of that payout is used up.
        assertTrue(!payouts.isPaid(payer, items[0].id), "used up");
        assertEq(moody.balanceOf(ANN), 100);
    }

    function test_pay_refusesAnIdThatComesTwice() public {
        PayoutItem[] memory items = three();
        items[2].id = items[0].id;
        refused(items, abi.encodeWithSelector(Errors.AlreadyPaid.selector, payer, items[0].id));
        items[2].id = bytes32(uint256(FIRST) + (1 << 8));
        pay(items);
    }

    function test_pay_keepsTheIdsOfEachPayerApart() public {
        PayoutItem[] memory items = three();
        pay(items);
        moody.mint(address(this), 600);
        moody.approve(address(payouts), 600);
        payouts.pay(address(moody), items);
        assertEq(moody.balanceOf(ANN), 200);
        assertEq(moody.balanceOf(payer), 1e12 - 600);
    }

    function test_pay_usesAnIdUpInEveryToken() public {
        pay(three());
        vm.prank(payer);
        usd.approve(address(payouts), 600);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(Errors.AlreadyPaid.selector, payer, FIRST));
        payouts.pay(address(usd), three());
    }

    function test_pay_refusesItemsThatPayNobodyOrNothing() public {
        PayoutItem[] memory items = three();
        items[1].amount = 0;
        refused(items, abi.encodeWithSelector(Errors.BadPayoutItem.selector, items[1].id));
        items[1].amount = 1;
        items[1].to = address(0);
        refused(items, abi.encodeWithSelector(Errors.BadPayoutItem.selector, items[1].id));
        items[1].to = address(payouts);
        refused(items, abi.encodeWithSelector(Errors.BadPayoutItem.selector, items[1].id));
        items[1].to = payer;
        pay(items);
    }

    function test_pay_takesOneToOneHundredItems() public {
        refused(new PayoutItem[](0), abi.encodeWithSelector(Errors.NoItems.selector));
        refused(many(101, 1), abi.encodeWithSelector(Errors.TooLong.selector, 101, 100));
        pay(many(100, 1));
    }

    function test_bounds_areAsPublished() public view {
        assertEq(payouts.MAX_ITEMS(), 100);
        assertEq(payouts.TRANSFER_GAS(), 100_000);
        assertEq(payouts.ITEM_GAS(), 130_000);
    }

    function test_pay_refusesWhatIsNoToken() public {
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAToken.selector, ANN));
        payouts.pay(ANN, three());
    }

    function test_pay_refusesMoreThanIsAllowed() public {
        vm.prank(payer);
        moody.approve(address(payouts), 599);
        refused(
            three(),
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(payouts), 599, 600
            )
        );
        vm.prank(payer);
        moody.approve(address(payouts), 600);
        pay(three());
    }

    function test_pay_refusesSumsThatOverflow() public {
        PayoutItem[] memory items = three();
        items[0].amount = type(uint256).max;
        refused(items, abi.encodeWithSignature("Panic(uint256)", 0x11));
    }

    // -- paying by signature -------------------------------------------------------------------

    function test_payWithAuthorization_needsNoAllowance() public {
        Funding memory funding = signedFor(600, address(payouts));
        vm.expectEmit(address(usd));
        emit IERC3009.AuthorizationUsed(payer, funding.nonce);
        vm.prank(payer);
        payouts.payWithAuthorization(address(usd), three(), funding);
        assertEq(usd.balanceOf(ANN), 100);
        assertEq(usd.balanceOf(CAT), 300);
        assertEq(usd.balanceOf(address(payouts)), 0);
    }

    function test_payWithAuthorization_isTheSignersAlone() public {
        Funding memory funding = signedFor(600, address(payouts));
        // Another caller's items would be paid by the signer.
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        payouts.payWithAuthorization(address(usd), three(), funding);
        // And nobody takes it past the contract.
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(payouts))
        );
        usd.receiveWithAuthorization(
            payer,
            address(payouts),
            600,
            0,
            type(uint256).max,
            funding.nonce,
            funding.v,
            funding.r,
            funding.s
        );
    }

    function test_payWithAuthorization_refusesAnotherSum() public {
        Funding memory funding = signedFor(599, address(payouts));
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        payouts.payWithAuthorization(address(usd), three(), funding);
    }

    function test_payWithAuthorization_refusesAnIdThatWasPaid() public {
        Funding memory funding = signedFor(600, address(payouts));
        vm.prank(payer);
        payouts.payWithAuthorization(address(usd), three(), funding);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(Errors.AlreadyPaid.selector, payer, FIRST));
        payouts.payWithAuthorization(address(usd), three(), funding);
    }

    // -- payees that cannot be paid ------------------------------------------------------------

    function test_blocked_payeeHoldsUpNobody() public {
        credited(MoodyToken.Mood.BLOCK);
    }

    function test_false_isNoPayment() public {
        credited(MoodyToken.Mood.RETURN_FALSE);
    }

    function test_answer_isTrueOrNothing() public {
        credited(MoodyToken.Mood.RETURN_TWO);
    }

    function test_answer_isAWholeWord() public {
        credited(MoodyToken.Mood.RETURN_SHORT);
    }

    function test_revert_costsNoMoreThanItsShare() public {
        credited(MoodyToken.Mood.REVERT_AT_LENGTH);
    }

    function test_invalidOpcode_holdsUpNobody() public {
        credited(MoodyToken.Mood.INVALID_OPCODE);
    }

    function test_burner_takesItsShareAlone() public {
        uint256 start = gasleft();
        credited(MoodyToken.Mood.BURN_ALL_GAS);
        assertTrue(start - gasleft() < 600_000, "it burnt more than its share");
    }

    function test_burners_manyLeaveTheOthersTheirs() public {
        PayoutItem[] memory items = many(100, 5);
        for (uint256 i = 0; i < 99; ++i) {
            moody.setMood(items[i].to, MoodyToken.Mood.BURN_ALL_GAS);
        }
        vm.prank(payer);
        payouts.pay{gas: 100 * 130_000 + 3_000_000}(address(moody), items);
        assertEq(moody.balanceOf(items[99].to), 5);
        assertEq(payouts.creditOf(items[98].to, address(moody)), 5);
        assertEq(moody.balanceOf(address(payouts)), 99 * 5);
    }

    function test_answer_ofNothingIsAPayment() public {
        paid(MoodyToken.Mood.RETURN_NOTHING);
    }

    function test_answer_atLengthIsAPayment() public {
        paid(MoodyToken.Mood.RETURN_AT_LENGTH);
    }

    function test_gas_thatDoesNotSufficeMakesNoCredit() public {
        PayoutItem[] memory items = three();
        for (uint256 gas = 60_000; gas < 500_000; gas += 7_000) {
            vm.prank(payer);
            (bool done,) = address(payouts).call{gas: gas}(
                abi.encodeCall(payouts.pay, (address(moody), items))
            );
            for (uint256 i = 0; i < 3; ++i) {
                assertEq(payouts.creditOf(items[i].to, address(moody)), 0);
                assertTrue(payouts.isPaid(payer, items[i].id) == done, "half paid");
            }
            if (done) return;
        }
        revert NotTrue("it was never enough");
    }

    function test_gas_tooLowIsToldOf() public {
        // Enough for two of three.
        PayoutItem[] memory items = three();
        vm.prank(payer);
        try payouts.pay{gas: 230_000}(address(moody), items) {
            revert NotTrue("it was enough");
        } catch (bytes memory why) {
            assertTrue(bytes4(why) == Errors.PayoutGasTooLow.selector, "another error");
        }
    }

    // -- tokens that are not exact -------------------------------------------------------------

    function test_fee_isRefused() public {
        moody.setFees(1, 0);
        refused(three(), abi.encodeWithSelector(Errors.TokenNotExact.selector, address(moody)));
        moody.setFees(0, 0);
        pay(three());
    }

    function test_surcharge_takesNothingFromCredits() public {
        moody.setMood(ANN, MoodyToken.Mood.BLOCK);
        pay(three());
        moody.setFees(0, 5);
        PayoutItem[] memory items = many(3, 100);
        refused(items, abi.encodeWithSelector(Errors.TokenNotExact.selector, address(moody)));
        assertEq(moody.balanceOf(address(payouts)), 100);
    }

    function test_gift_holdsUpNobody() public {
        moody.mint(address(payouts), 77);
        pay(three());
        assertEq(moody.balanceOf(address(payouts)), 77);
    }

    function test_gift_inTheMiddleHoldsUpNobody() public {
        paid(MoodyToken.Mood.GIVE);
        assertEq(moody.balanceOf(address(payouts)), 1);
    }

    // -- re-entering ---------------------------------------------------------------------------

    function test_reentering_payIsACredit() public {
        credited(MoodyToken.Mood.REENTER_PAY);
        assertTrue(!payouts.isPaid(address(moody), bytes32(uint256(7))), "paid inside");
    }

    function test_reentering_claimIsACredit() public {
        moody.setMood(address(moody), MoodyToken.Mood.BLOCK);
        PayoutItem[] memory items = many(1, 50);
        items[0].to = address(moody);
        pay(items);
        assertEq(payouts.creditOf(address(moody), address(moody)), 50);
        credited(MoodyToken.Mood.REENTER_CLAIM);
        assertEq(payouts.creditOf(address(moody), address(moody)), 50);
    }

    function test_reentering_fromAClaimIsRefused() public {
        moody.setMood(BEN, MoodyToken.Mood.BLOCK);
        pay(three());
        moody.setMood(BEN, MoodyToken.Mood.REENTER_CLAIM);
        vm.prank(BEN);
        vm.expectRevert(abi.encodeWithSignature("ReentrancyGuardReentrantCall()"));
        payouts.claim(address(moody), BEN);
        assertEq(payouts.creditOf(BEN, address(moody)), 200);
    }

    /// @dev From a transfer to a payee it has too little gas to pay anyway; not so while the sum is taken.
    function test_reentering_whileTheSumIsTakenIsRefused() public {
        CallingCoin coin = new CallingCoin();
        coin.mint(payer, 1e6);
        vm.prank(payer);
        coin.approve(address(payouts), 1e6);
        coin.mint(address(coin), 7);
        vm.prank(address(coin));
        coin.approve(address(payouts), 7);
        Funding memory funding;
        bytes[3] memory calls = [
            abi.encodeCall(payouts.pay, (address(coin), many(1, 7))),
            abi.encodeCall(payouts.payWithAuthorization, (address(coin), many(1, 7), funding)),
            abi.encodeCall(payouts.claim, (address(coin), ANN))
        ];
        PayoutItem[] memory items = many(1, 5);
        for (uint256 i = 0; i < calls.length; ++i) {
            items[0].id = bytes32(i);
            coin.arm(address(payouts), calls[i]);
            vm.prank(payer);
            payouts.pay(address(coin), items);
            assertEq(
                keccak256(coin.answer()),
                keccak256(abi.encodeWithSignature("ReentrancyGuardReentrantCall()"))
            );
        }
        assertEq(coin.balanceOf(items[0].to), calls.length * 5);
    }

    // -- claiming ------------------------------------------------------------------------------

    function test_claim_movesAllThatWaits() public {
        moody.setMood(BEN, MoodyToken.Mood.BLOCK);
        pay(three());
        PayoutItem[] memory items = many(1, 11);
        items[0].to = BEN;
        pay(items);
        assertEq(payouts.creditOf(BEN, address(moody)), 211);
        vm.expectEmit(address(payouts));
        emit Events.CreditClaimed(BEN, address(moody), CAT, 211);
        vm.prank(BEN);
        payouts.claim(address(moody), CAT);
        assertEq(moody.balanceOf(CAT), 300 + 211);
        assertEq(payouts.creditOf(BEN, address(moody)), 0);
        assertEq(moody.balanceOf(address(payouts)), 0);
        vm.prank(BEN);
        vm.expectRevert(abi.encodeWithSelector(Errors.NothingToClaim.selector, BEN, address(moody)));
        payouts.claim(address(moody), CAT);
    }

    function test_claim_isThePayeesAlone() public {
        moody.setMood(BEN, MoodyToken.Mood.BLOCK);
        pay(three());
        vm.prank(ANN);
        vm.expectRevert(abi.encodeWithSelector(Errors.NothingToClaim.selector, ANN, address(moody)));
        payouts.claim(address(moody), ANN);
        // Nor is it in another token.
        vm.prank(BEN);
        vm.expectRevert(abi.encodeWithSelector(Errors.NothingToClaim.selector, BEN, address(usd)));
        payouts.claim(address(usd), BEN);
    }

    function test_claim_thatFailsStaysACredit() public {
        moody.setMood(BEN, MoodyToken.Mood.BLOCK);
        pay(three());
        vm.prank(BEN);
        vm.expectRevert(abi.encodeWithSelector(MoodyToken.Blocked.selector, BEN));
        payouts.claim(address(moody), BEN);
        moody.setMood(BEN, MoodyToken.Mood.RETURN_FALSE);
        vm.prank(BEN);
        vm.expectRevert(
            abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(moody))
        );
        payouts.claim(address(moody), BEN);
        assertEq(payouts.creditOf(BEN, address(moody)), 200);
        moody.setMood(BEN, MoodyToken.Mood.PAY);
        vm.prank(BEN);
        payouts.claim(address(moody), BEN);
        assertEq(moody.balanceOf(BEN), 200);
    }

    // -- fuzz ----------------------------------------------------------------------------------

    function testFuzz_bits_areOfTheirIdsAlone(bytes32 id, bytes32 other) public {
        if (id == other) return;
        PayoutItem[] memory items = many(1, 1);
        items[0].id = id;
        pay(items);
        assertTrue(payouts.isPaid(payer, id), "not paid");
        assertTrue(!payouts.isPaid(payer, other), "another is paid");
        assertTrue(!payouts.isPaid(ANN, id), "another's is paid");
        assertEq(payouts.paidBits(payer, id), 1 << (uint256(id) % 256));
    }

    function testFuzz_moods_moveEachAmountOnce(uint256 moods, uint64[6] memory amounts) public {
        PayoutItem[] memory items = many(6, 1);
        uint256 total;
        for (uint256 i = 0; i < 6; ++i) {
            items[i].amount = bound(amounts[i], 1, 1e10);
            total += items[i].amount;
            moody.setMood(items[i].to, MoodyToken.Mood((moods >> (8 * i)) % 12));
        }
        pay(items);
        uint256 waiting;
        for (uint256 i = 0; i < 6; ++i) {
            uint256 credit = payouts.creditOf(items[i].to, address(moody));
            assertEq(credit + moody.balanceOf(items[i].to), items[i].amount);
            assertTrue(credit == 0 || credit == items[i].amount, "in part");
            waiting += credit;
        }
        assertEq(moody.balanceOf(address(payouts)), waiting);
        assertEq(moody.balanceOf(payer), 1e12 - total);
    }

    // -- inside --------------------------------------------------------------------------------

    /// @dev The second of three payees has the mood, is credited, and the others are paid.
    function credited(MoodyToken.Mood mood) private {
        moody.setMood(BEN, mood);
        PayoutItem[] memory items = three();
        vm.expectEmit(address(payouts));
        emit Events.PaidOut(payer, items[0].id, ANN, address(moody), 100);
        vm.expectEmit(address(payouts));
        emit Events.PayoutCredited(payer, items[1].id, BEN, address(moody), 200);
        vm.expectEmit(address(payouts));
        emit Events.PaidOut(payer, items[2].id, CAT, address(moody), 300);
        pay(items);
        assertEq(moody.balanceOf(ANN), 100);
        assertEq(moody.balanceOf(BEN), 0);
        assertEq(moody.balanceOf(CAT), 300);
        assertEq(payouts.creditOf(BEN, address(moody)), 200);
        refused(items, abi.encodeWithSelector(Errors.AlreadyPaid.selector, payer, FIRST));
    }

    function paid(MoodyToken.Mood mood) private {
        moody.setMood(BEN, mood);
        pay(three());
        assertEq(moody.balanceOf(BEN), 200);
        assertEq(payouts.creditOf(BEN, address(moody)), 0);
    }

    function pay(PayoutItem[] memory items) private {
        vm.prank(payer);
        payouts.pay(address(moody), items);
    }

    function refused(PayoutItem[] memory items, bytes memory why) private {
        vm.prank(payer);
        vm.expectRevert(why);
        payouts.pay(address(moody), items);
    }

    function three() private pure returns (PayoutItem[] memory items) {
        items = new PayoutItem[](3);
        items[0] = PayoutItem(FIRST, ANN, 100);
        items[1] = PayoutItem(bytes32(uint256(FIRST) + 1), BEN, 200);
        items[2] = PayoutItem(bytes32(uint256(FIRST) + 2), CAT, 300);
    }

    function many(uint256 count, uint256 amount) private pure returns (PayoutItem[] memory items) {
        items = new PayoutItem[](count);
        for (uint256 i = 0; i < count; ++i) {
            items[i] = PayoutItem(bytes32((1 << 64) + i), address(uint160(0xD000 + i)), amount);
        }
    }

    function signedFor(uint256 total, address to) private view returns (Funding memory) {
        Authorization memory a =
            Authorization(payer, to, total, 0, type(uint256).max, keccak256("payout"));
        bytes32 digest = digestOf(domainOf(address(usd), "1"), hashOf(RECEIVE, a));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, digest);
        return Funding(0, type(uint256).max, a.nonce, v, r, s);
    }
}
