// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessPlans} from "./AccessPlans.sol";
import {Plan, PlanKind, PlanTerms} from "../../src/access/Plans.sol";
import {Purchase} from "../../src/access/Purchases.sol";
import {Rolling} from "../../src/access/Rolling.sol";
import {Subscription} from "../../src/access/Subscriptions.sol";

/// @dev Three buyers, two owners of one model and two consumers, who do whatever they may and some of what they
/// may not. Keeps its own account of what was paid, and of which calls were bought and taken.
contract Market is AccessPlans {
    uint256 public constant PARTIES = 5;

    bytes32 public pass;
    bytes32 public pack;
    bytes32 public free;
    bytes32 public subscription;
    bytes32 public load;
    bytes32[] public rights;

    uint256 public paidIn;
    uint256 public paidOut;
    mapping(bytes32 right => uint256) public taken;
    mapping(bytes32 right => mapping(uint256 period => mapping(address buyer => uint256))) private
        _takenIn;
    mapping(address consumer => mapping(bytes32 right => mapping(address buyer => uint256))) private
        _open;
    bool public tooMany;

    constructor() {
        deployAll();
        PlanTerms memory t = passTerms();
        t.transferable = true;
        pass = make(t);
        t = packTerms();
        t.span = WEEK;
        pack = make(t);
        free = make(freeTerms());
        subscription = make(subscriptionTerms());
        load = make(loadTerms());
        for (uint256 i = 0; i < 3; ++i) {
            if (partyAt(i) != ALICE && partyAt(i) != BOB) fund(partyAt(i));
        }
    }

    /// @dev Three buyers, and two who own the model in turn.
    function partyAt(uint256 i) public view returns (address) {
        i %= PARTIES;
        return i == 0 ? ALICE : i == 1 ? BOB : i == 2 ? address(0xCA0) : i == 3 ? provider : thief;
    }

    function count() external view returns (uint256) {
        return rights.length;
    }

    // -- buyers --------------------------------------------------------------------------------

    function buy(uint256 who, bool ofCalls, uint96 limit) external {
        address buyer = partyAt(who % 3);
        bytes32 plan = ofCalls ? pack : pass;
        Plan memory p = access.planOf(plan);
        bool sound = p.open && p.price <= limit % (2 * COST);
        vm.prank(buyer);
        try access.buy(plan, limit % (2 * COST)) returns (bytes32 right) {
            assertTrue(sound, "an unsound purchase");
            rights.push(right);
            paidIn += p.price;
        } catch {
            assertTrue(!sound, "a sound purchase was refused");
        }
    }

    function giveBack(uint256 who, uint256 which) external {
        if (rights.length == 0) return;
        bytes32 right = rights[which % rights.length];
        address buyer = partyAt(who % 3);
        uint256 before = access.earned(buyer, address(token));
        vm.prank(buyer);
        try access.refund(right) {
            assertEq(taken[right], 0);
            assertTrue(access.earned(buyer, address(token)) >= before, "refunded less");
            assertTrue(!entitles(buyer, right), "entitled after a refund");
        } catch {}
    }

    function pass_on(uint256 who, uint256 to, uint256 which) external {
        if (rights.length == 0) return;
        bytes32 right = rights[which % rights.length];
        address from = partyAt(who % 3);
        bool holds = access.balanceOf(from, uint256(right)) == 1;
        vm.prank(from);
        try access.safeTransferFrom(from, partyAt(to % 3), uint256(right), 1, "") {
            assertTrue(holds, "handed on what was another's");
        } catch {
            assertTrue(!holds, "could not be handed on");
        }
    }

    function subscribe(uint256 who, uint32 renewals, uint96 limit) external {
        Plan memory p = access.planOf(subscription);
        vm.prank(partyAt(who % 3));
        try access.subscribe(
            subscription, limit % (2 * COST), renewals % 3, uint40(block.timestamp + 3 * WEEK)
        ) {
            paidIn += p.price;
            assertTrue(p.price <= limit % (2 * COST), "paid more than the limit");
        } catch {}
    }

    function renew(uint256 who, uint256 by) external {
        address subscriber = partyAt(who % 3);
        Plan memory p = access.planOf(subscription);
        Subscription memory before = access.subscriptionOf(subscription, subscriber);
        vm.prank(partyAt(by));
        try access.renew(subscription, subscriber) {
            paidIn += p.price;
            assertTrue(p.price <= before.limit && before.renewals != 0, "not allowed");
            assertTrue(block.timestamp >= before.paidUntil, "twice in a period");
        } catch {}
    }

    function end(uint256 who) external {
        vm.prank(partyAt(who % 3));
        access.endSubscription(subscription);
    }

    // -- calls ---------------------------------------------------------------------------------

    function consume(uint256 who, uint256 by, uint256 which) external {
        address buyer = partyAt(who % 3);
        address consumer = consumerAt(by);
        bytes32 right = rightAt(which);
        (bool entitled, uint256 asked) = access.entitlement(buyer, MODEL, address(token), right);
        vm.prank(consumer);
        try access.consume(buyer, MODEL, address(token), right) returns (uint256 price) {
            assertTrue(entitled && consumer != thief, "a call that nobody had");
            assertEq(price, asked);
            account(consumer, buyer, right, 1);
        } catch {
            assertTrue(!entitled || consumer == thief, "a call was refused");
        }
    }

    function restore(uint256 who, uint256 by, uint256 which) external {
        address buyer = partyAt(who % 3);
        address consumer = consumerAt(by);
        bytes32 right = rightAt(which);
        uint256 before = access.takenBy(consumer, right, buyer);
        vm.prank(consumer);
        access.restore(buyer, MODEL, right);
        uint256 left = access.takenBy(consumer, right, buyer);
        assertTrue(before - left <= 1, "more than one");
        if (before != left) account(consumer, buyer, right, -1);
    }

    // -- owners, and time ----------------------------------------------------------------------

    function update(uint256 which, uint96 price, bool open) external {
        bytes32 plan =
            which % 4 == 0 ? pass : which % 4 == 1 ? pack : which % 4 == 2 ? subscription : load;
        (address owner,,) = registry.ownership(MODEL);
        vm.prank(owner);
        access.updatePlan(plan, price % (2 * COST), open || which % 3 != 0);
    }

    function change() external {
        (address owner,,) = registry.ownership(MODEL);
        address to = owner == provider ? thief : provider;
        vm.prank(owner);
        registry.transferModel(MODEL, to);
        vm.prank(to);
        registry.acceptModel(MODEL);
    }

    function withdraw(uint256 who) external {
        address account_ = partyAt(who);
        uint256 owned = access.earned(account_, address(token));
        vm.prank(account_);
        try access.withdraw(address(token)) returns (uint256 amount) {
            assertEq(amount, owned);
            paidOut += amount;
        } catch {
            assertEq(owned, 0);
        }
    }

    function mature(uint256 who, bool ofCalls) external {
        access.mature(ofCalls ? pack : pass, partyAt(who));
    }

    function wait_(uint32 time) external {
        vm.warp(block.timestamp + time % (3 days));
    }

    // -- its own account -----------------------------------------------------------------------

    /// @dev Calls of a pack in all, of a free plan by the day, of a subscription by what was paid.
    function account(address consumer, address buyer, bytes32 right, int256 step) private {
        uint256 period = right == free
            ? block.timestamp / 1 days
            : right == subscription ? access.subscriptionOf(right, buyer).paidUntil : 0;
        _open[consumer][right][buyer] = moved(_open[consumer][right][buyer], step);
        taken[right] = moved(taken[right], step);
        uint256 now_ = moved(_takenIn[right][period][buyer], step);
        _takenIn[right][period][buyer] = now_;
        if ((right == free || right == subscription) && now_ > 2) tooMany = true;
    }

    function moved(uint256 from, int256 step) private pure returns (uint256) {
        return step > 0 ? from + 1 : from - 1;
    }

    /// @dev Two that may, and one time of five one that may not.
    function consumerAt(uint256 i) private view returns (address) {
        return i % 5 == 4 ? thief : i % 2 == 0 ? ESCROW : GATEWAY;
    }

    function rightAt(uint256 i) private view returns (bytes32) {
        uint256 kind = i % 8;
        if (kind == 0) return free;
        if (kind == 1) return subscription;
        if (kind == 2) return load;
        return rights.length == 0 ? free : rights[i / 8 % rights.length];
    }

    function held() external view returns (uint256) {
        return token.balanceOf(address(access));
    }

    /// @dev What is owed: balances, and what waits in the tills.
    function owed() external view returns (uint256 sum) {
        for (uint256 i = 0; i < PARTIES; ++i) {
            sum += access.earned(partyAt(i), address(token));
            sum += waiting(pass, partyAt(i)) + waiting(pack, partyAt(i));
        }
    }

    function waiting(bytes32 plan, address payee) private view returns (uint256) {
        Rolling memory sums = access.tillOf(plan, payee);
        return uint256(sums.current) + sums.previous;
    }

    /// @dev What could be given back still, of one plan.
    function refundable(bytes32 plan) external view returns (uint256 sum) {
        for (uint256 i = 0; i < rights.length; ++i) {
            if (rights[i] & ~bytes32(uint256(type(uint64).max)) != plan) continue;
            try access.purchaseOf(rights[i]) returns (Purchase memory p) {
                if (block.timestamp < p.refundUntil) sum += p.paid;
            } catch {}
        }
    }

    function waitingIn(bytes32 plan) external view returns (uint256) {
        return waiting(plan, provider) + waiting(plan, thief);
    }

    function usedOf(bytes32 right) external view returns (uint256) {
        try access.purchaseOf(right) returns (Purchase memory p) {
            return p.used;
        } catch {
            return 0;
        }
    }

    function kindOf(bytes32 right) external view returns (PlanKind) {
        return access.planOf(right & ~bytes32(uint256(type(uint64).max))).kind;
    }
}

contract AccessInvariants is AccessPlans {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Market private market;

    function setUp() public {
        market = new Market();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(market);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](13);
        selectors[0] = Market.buy.selector;
        selectors[1] = Market.giveBack.selector;
        selectors[2] = Market.pass_on.selector;
        selectors[3] = Market.subscribe.selector;
        selectors[4] = Market.renew.selector;
        selectors[5] = Market.end.selector;
        selectors[6] = Market.consume.selector;
        selectors[7] = Market.restore.selector;
        selectors[8] = Market.update.selector;
        selectors[9] = Market.change.selector;
        selectors[10] = Market.withdraw.selector;
        selectors[11] = Market.mature.selector;
        selectors[12] = Market.wait_.selector;
        targets[0] = FuzzSelector(address(market), selectors);
    }

    /// @dev What was paid in is there, or went to whose it was; and all that is there is somebody's.
    function invariant_moneyIsNeitherMadeNorLost() external view {
        assertEq(market.held(), market.paidIn() - market.paidOut());
        assertEq(market.held(), market.owed());
    }

    /// @dev Whoever could give something back finds the money for it.
    function invariant_whatCanBeGivenBackWaits() external view {
        assertTrue(market.waitingIn(market.pass()) >= market.refundable(market.pass()), "of passes");
        assertTrue(market.waitingIn(market.pack()) >= market.refundable(market.pack()), "of packs");
    }

    /// @dev Nobody ever has more calls than were bought, or than a period gives.
    function invariant_noCallIsGivenTwice() external view {
        assertTrue(!market.tooMany(), "more calls than a period has");
        for (uint256 i = 0; i < market.count(); ++i) {
            bytes32 right = market.rights(i);
            if (uint256(market.kindOf(right)) != 3) continue;
            assertTrue(market.taken(right) <= 3, "more calls than were bought");
            assertEq(market.usedOf(right), market.taken(right));
        }
    }
}
