// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {MoodyToken} from "./PayoutTokens.sol";
import {PayoutItem, Payouts} from "../../src/revenue/Payouts.sol";

/// @dev A few payers who pay a few payees under few ids, over and over; payees whom the token pays or not, in
/// turn, and who claim. Keeps its own account of what was paid and what waits.
contract PayoutParties is Base {
    uint256 public constant PAYERS = 3;
    uint256 public constant PAYEES = 5;
    uint256 private constant IDS = 24;
    uint256 private constant FUNDS = 1e30;

    Payouts public immutable payouts;
    MoodyToken public immutable token;

    mapping(address payer => mapping(bytes32 id => bool)) private used;
    mapping(address payer => uint256) public spent;
    /// @dev Of each payee: what was paid to it or credited, and what it took out to elsewhere.
    mapping(address payee => uint256) public due;
    mapping(address payee => uint256) public waiting;
    uint256 public claimed;
    uint256 public gifts;

    constructor() {
        payouts = new Payouts();
        token = new MoodyToken();
        for (uint256 i = 0; i < PAYERS; ++i) {
            token.mint(payerAt(i), FUNDS);
            vm.prank(payerAt(i));
            token.approve(address(payouts), type(uint256).max);
        }
    }

    function pay(uint256 who, uint256 seed, uint256 size) external {
        address payer = payerAt(who);
        PayoutItem[] memory items = new PayoutItem[](bound(size, 1, 4));
        bool sound = true;
        for (uint256 i = 0; i < items.length; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            // In two words.
            bytes32 id = bytes32(244 + dice % IDS);
            items[i] = PayoutItem(id, payeeAt(dice >> 8), 1 + (dice >> 16) % 1e6);
            if (used[payer][id]) sound = false;
            for (uint256 j = 0; j < i; ++j) {
                if (items[j].id == id) sound = false;
            }
        }
        vm.prank(payer);
        try payouts.pay(address(token), items) {
            assertTrue(sound, "an id was paid twice");
        } catch {
            assertTrue(!sound, "a sound payout was refused");
            return;
        }
        for (uint256 i = 0; i < items.length; ++i) {
            address to = items[i].to;
            used[payer][items[i].id] = true;
            spent[payer] += items[i].amount;
            due[to] += items[i].amount;
            if (!isPaying(token.moodOf(to))) waiting[to] += items[i].amount;
        }
    }

    function claim(uint256 who) external {
        address payee = payeeAt(who);
        uint256 amount = waiting[payee];
        vm.prank(payee);
        try payouts.claim(address(token), address(0xE15E)) {
            assertTrue(amount != 0, "nothing was claimed");
            waiting[payee] = 0;
            due[payee] -= amount;
            claimed += amount;
        } catch {
            assertEq(amount, 0);
        }
    }

    function setMood(uint256 who, uint256 mood) external {
        token.setMood(payeeAt(who), MoodyToken.Mood(mood % 12));
    }

    function give(uint256 amount) external {
        amount = bound(amount, 0, 1e9);
        gifts += amount;
        token.mint(address(payouts), amount);
    }

    function isPaid(uint256 who, uint256 id) external view returns (bool, bool) {
        address payer = payerAt(who);
        bytes32 name = bytes32(240 + id % (IDS + 8));
        return (used[payer][name], payouts.isPaid(payer, name));
    }

    function payerAt(uint256 index) public pure returns (address) {
        return address(uint160(0xA000 + index % PAYERS));
    }

    function payeeAt(uint256 index) public pure returns (address) {
        return address(uint160(0xB000 + index % PAYEES));
    }

    function isPaying(MoodyToken.Mood mood) private pure returns (bool) {
        return mood == MoodyToken.Mood.PAY || mood == MoodyToken.Mood.RETURN_NOTHING
            || mood == MoodyToken.Mood.RETURN_AT_LENGTH;
    }
}

contract PayoutsInvariants is Base {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    PayoutParties private parties;
    Payouts private payouts;
    MoodyToken private token;

    function setUp() public {
        parties = new PayoutParties();
        (payouts, token) = (parties.payouts(), parties.token());
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(parties);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](4);
        selectors[0] = PayoutParties.pay.selector;
        selectors[1] = PayoutParties.claim.selector;
        selectors[2] = PayoutParties.setMood.selector;
        selectors[3] = PayoutParties.give.selector;
        targets[0] = FuzzSelector(address(parties), selectors);
    }

    /// @dev What payers spent is with payees, was claimed, or waits; and what waits is there.
    function invariant_everyUnitIsAccountedFor() external view {
        uint256 spent;
        for (uint256 i = 0; i < parties.PAYERS(); ++i) {
            address payer = parties.payerAt(i);
            assertEq(token.balanceOf(payer) + parties.spent(payer), 1e30);
            spent += parties.spent(payer);
        }
        uint256 waiting;
        uint256 due;
        for (uint256 i = 0; i < parties.PAYEES(); ++i) {
            address payee = parties.payeeAt(i);
            uint256 credit = payouts.creditOf(payee, address(token));
            assertEq(credit, parties.waiting(payee));
            assertEq(token.balanceOf(payee) + credit, parties.due(payee));
            waiting += credit;
            due += parties.due(payee);
        }
        assertEq(due + parties.claimed(), spent);
        assertEq(token.balanceOf(address(0xE15E)), parties.claimed());
        assertEq(token.balanceOf(address(payouts)), waiting + parties.gifts());
    }

    function invariant_idsAreUsedUpAsTheyWerePaid() external view {
        for (uint256 i = 0; i < parties.PAYERS(); ++i) {
            for (uint256 id = 0; id < 32; ++id) {
                (bool expected, bool got) = parties.isPaid(i, id);
                assertTrue(expected == got, "an id is used up without a payment, or not with one");
            }
        }
    }
}
