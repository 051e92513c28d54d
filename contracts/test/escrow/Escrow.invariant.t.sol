// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Orders} from "./Orders.sol";
import {DevnetUSD} from "../../src/DevnetUSD.sol";
import {Escrow} from "../../src/escrow/Escrow.sol";
import {Order} from "../../src/escrow/Order.sol";
import {OrderStatus} from "../../src/escrow/OrderLib.sol";

/// @dev Two buyers, two servers and a stranger do with a few orders in two tokens what comes to mind, at any time, in
/// any order, while the market is paused or not, servers are removed, the fee and the factor change. It keeps its own
/// account of who has what, by the rules as they are written down, and looks after each step whether the contract
/// agrees. One server, `honest`, only accepts what it has the input of, and delivers all of it in time; one buyer,
/// `careful`, posts the input of every order of its own that was accepted.
contract Parties is Orders {
    uint256 private constant ACCOUNTS = 4;

    address public honest = alice;
    address public sloppy = bob;
    address public careful;
    address public careless = address(0xCA7E);
    DevnetUSD[2] public tokens;

    Order[] private orders;
    /// @dev Of each order, by its place: what was staked, by whom, whether it has the input, and the fee.
    uint256[] private bonds;
    address[] private acceptors;
    bool[] private given;
    uint256[] private fees;
    OrderStatus[] private states;

    mapping(address account => mapping(address coin => uint256)) public owed;
    mapping(address coin => uint256) public feesOf;
    mapping(address coin => uint256) public locked;
    /// @dev What the honest server is to have gained, in each token.
    mapping(address coin => uint256) public earned;
    uint256 public ends;
    bool private paused;
    uint16 private fee = FEE_BPS;

    constructor() {
        build();
        careful = buyer;
        tokens[0] = token;
        tokens[1] = new DevnetUSD(address(this));
        market.setToken(address(tokens[1]), true, WEIGHT);
        price(address(tokens[1]), PRICE);
        market.setAdmission(5_000, 3);
        fund(honest, address(tokens[1]), FUNDS);
        fund(sloppy, address(tokens[1]), FUNDS);
        for (uint256 i = 0; i < 2; ++i) {
            (owed[honest][address(tokens[i])], owed[sloppy][address(tokens[i])]) = (FUNDS, FUNDS);
            for (uint256 j = 0; j < 2; ++j) {
                address who = j == 0 ? careful : careless;
                tokens[i].mint(who, FUNDS);
                vm.prank(who);
                tokens[i].approve(address(escrow), type(uint256).max);
            }
        }
    }

    function count() external view returns (uint256) {
        return orders.length;
    }

    function theEscrow() external view returns (Escrow) {
        return escrow;
    }

    /// @dev What the honest server has staked for orders that have not ended.
    function staked(address coin) external view returns (uint256 sum) {
        for (uint256 i = 0; i < orders.length; ++i) {
            if (states[i] == OrderStatus.Accepted && acceptors[i] == honest) {
                if (orders[i].token == coin) sum += bonds[i];
            }
        }
    }

    function accountAt(uint256 i) public view returns (address) {
        return [honest, sloppy, careful, careless][i % ACCOUNTS];
    }

    function stateAt(uint256 i) external view returns (OrderStatus, OrderStatus) {
        return (states[i], escrow.slotOf(idFor(orders[i])).status);
    }

    // -- what happens to them ------------------------------------------------------------------

    /// @dev Time passes: some, or until a time of an order is over. Before that the honest server delivers what it has
    /// accepted and can still deliver in time.
    function wait(uint256 which, uint256 dice) external {
        serve();
        uint256 time = block.timestamp + bound(dice, 1, 20 minutes);
        if (orders.length != 0 && dice % 4 != 0) {
            Order memory o =
                orders[pick(which, dice >> 20 & 3 == 0 ? OrderStatus.Open : OrderStatus.Accepted)];
            uint256[4] memory ends_ = [uint256(o.acceptBy), o.inputBy, o.deliverBy, o.rescueBy];
            uint256 end_ = ends_[(dice >> 8) % 4] + (dice >> 16) % 2;
            if (end_ > block.timestamp) time = end_;
        }
        vm.warp(time);
    }

    function administrate(uint256 dice) external {
        if (paused || dice % 8 == 0) {
            paused = !paused;
            paused ? market.pause() : market.unpause();
        } else if (dice % 8 < 6) {
            fee = uint16((dice >> 8) % 1001);
            market.setFee(fee);
        } else {
            market.setServer(sloppy, (dice >> 8) % 4 != 0);
        }
    }

    // -- what they do --------------------------------------------------------------------------

    function buy(uint256 dice) external {
        Order memory o = orderOf(orders.length);
        o.buyer = dice % 2 == 0 ? careful : careless;
        o.token = address(tokens[(dice >> 8) % 2]);
        o.bond = uint128((dice >> 16) % 3e5);
        o.price = PRICE + uint128((dice >> 40) % 1e6);
        DevnetUSD(o.token).mint(o.buyer, o.price);
        vm.prank(o.buyer);
        try escrow.request(o) {
            assertTrue(!paused, "an order while paused");
        } catch {
            assertTrue(paused, "no order");
            return;
        }
        orders.push(o);
        bonds.push(0);
        acceptors.push(address(0));
        given.push(false);
        fees.push(uint256(o.price) * fee / 10_000);
        states.push(OrderStatus.Open);
        locked[o.token] += o.price;
    }

    function take(uint256 which, bool byHonest, bool acknowledged) external {
        if (orders.length == 0) return;
        which = pick(which, OrderStatus.Open);
        Order memory o = orders[which];
        address server = byHonest ? honest : sloppy;
        bool possible = states[which] == OrderStatus.Open && block.timestamp <= o.acceptBy
            && !paused && market.isServer(server);
        uint256 stake = uint256(o.bond) * (reputation.score(server) < 5_000 ? 3 : 1);
        possible = possible && owed[server][o.token] >= stake;
        vm.prank(server);
        try escrow.accept(o, byHonest || acknowledged) {
            assertTrue(possible, "an acceptance that was not possible");
        } catch {
            assertTrue(!possible, "no acceptance");
            return;
        }
        states[which] = OrderStatus.Accepted;
        (bonds[which], acceptors[which]) = (stake, server);
        given[which] = given[which] || byHonest || acknowledged;
        owed[server][o.token] -= stake;
        locked[o.token] += stake;
        if (o.buyer == careful) post(which);
    }

    function give(uint256 which) external {
        if (orders.length == 0) return;
        which = pick(which, OrderStatus.Accepted);
        if (states[which] == OrderStatus.Open || states[which] == OrderStatus.Accepted) {
            post(which);
        }
    }

    function cancel(uint256 which, uint256 who) external {
        if (orders.length == 0) return;
        which = pick(which, OrderStatus.Open);
        Order memory o = orders[which];
        address account = accountAt(who);
        bool possible = states[which] == OrderStatus.Open && account == o.buyer;
        vm.prank(account);
        try escrow.cancel(o) {
            assertTrue(possible, "a cancellation that was not possible");
        } catch {
            assertTrue(!possible, "no cancellation");
            return;
        }
        finish(which, OrderStatus.Cancelled);
        owed[o.buyer][o.token] += o.price;
    }

    function send(uint256 which, bool byHonest, uint8 soundness) external {
        if (orders.length == 0) return;
        bring(pick(which, OrderStatus.Accepted), byHonest ? honest : sloppy, soundness % 4 != 0);
    }

    function giveBack(uint256 which) external {
        if (orders.length == 0) return;
        end(pick(which, OrderStatus.Accepted));
    }

    function withdraw(uint256 who, uint256 which, uint256 amount) external {
        address account = accountAt(who);
        address coin = address(tokens[which % 2]);
        // Servers keep what they stake; the fees are taken then.
        if (account == honest || account == sloppy) {
            escrow.withdrawFees(coin, address(0xFEE5), feesOf[coin]);
            feesOf[coin] = 0;
            return;
        }
        amount = bound(amount, 0, owed[account][coin]);
        vm.prank(account);
        escrow.withdraw(coin, account, amount);
        owed[account][coin] -= amount;
    }

    /// @dev After all times nothing is left but what refunds end, whatever was done before.
    function endAll() external {
        serve();
        vm.warp(block.timestamp + 30 days);
        for (uint256 i = 0; i < orders.length; ++i) {
            if (states[i] == OrderStatus.Open || states[i] == OrderStatus.Accepted) end(i);
            assertTrue(uint256(states[i]) >= uint256(OrderStatus.Paid), "an order is stuck");
        }
        for (uint256 i = 0; i < 2; ++i) {
            assertEq(locked[address(tokens[i])], 0);
        }
    }

    // -- inside --------------------------------------------------------------------------------

    /// @dev An order in a state, where there is one among the last few; one time of eight, and else, any of these.
    function pick(uint256 which, OrderStatus status) private view returns (uint256 found) {
        uint256 count_ = orders.length < 6 ? orders.length : 6;
        found = orders.length - 1 - which % count_;
        if (which >> 128 & 7 == 0) return found;
        for (uint256 i = 0; i < count_; ++i) {
            uint256 next = orders.length - 1 - (which % count_ + i) % count_;
            if (states[next] == status) return next;
        }
    }

    function serve() private {
        for (uint256 i = 0; i < orders.length; ++i) {
            if (states[i] == OrderStatus.Accepted && acceptors[i] == honest) {
                bring(i, honest, true);
            }
        }
    }

    function post(uint256 which) private {
        escrow.postInput(orders[which], NUMBERS);
        if (block.timestamp <= orders[which].inputBy) given[which] = true;
    }

    function bring(uint256 which, address server, bool sound) private {
        Order memory o = orders[which];
        bool late = block.timestamp > o.deliverBy;
        bool possible = sound && states[which] == OrderStatus.Accepted
            && block.timestamp <= o.rescueBy
            && (server == acceptors[which] || late && market.isServer(server));
        bytes[] memory outputs = outputsOf(which);
        bytes memory proof = proofFor(o, idFor(o), sound ? server : stranger, outputs);
        vm.prank(server);
        try escrow.deliver(o, outputs, proof) {
            assertTrue(possible, "a delivery that was not possible");
        } catch {
            assertTrue(!possible, "no delivery");
            return;
        }
        finish(which, late ? OrderStatus.Rescued : OrderStatus.Paid);
        uint256 half = late && given[which] ? bonds[which] / 2 : 0;
        uint256 back = half == 0 && !(late && given[which]) ? bonds[which] : 0;
        owed[server][o.token] += o.price - fees[which] + half;
        owed[acceptors[which]][o.token] += back;
        owed[o.buyer][o.token] += bonds[which] - half - back;
        feesOf[o.token] += fees[which];
        if (server == honest) earned[o.token] += o.price - fees[which] + half;
    }

    function end(uint256 which) private {
        Order memory o = orders[which];
        bool accepted = states[which] == OrderStatus.Accepted;
        uint256 over = accepted ? given[which] ? o.rescueBy : o.inputBy : o.acceptBy;
        bool possible = (accepted || states[which] == OrderStatus.Open) && block.timestamp > over;
        vm.prank(stranger);
        try escrow.refund(o) {
            assertTrue(possible, "a refund that was not possible");
        } catch {
            assertTrue(!possible, "no refund");
            return;
        }
        finish(which, OrderStatus.Refunded);
        bool blamed = accepted && given[which];
        owed[o.buyer][o.token] += o.price + (blamed ? bonds[which] : 0);
        if (accepted && !blamed) owed[acceptors[which]][o.token] += bonds[which];
        // A careful buyer's order that was accepted is never refunded without the bond.
        assertTrue(
            !accepted || blamed || o.buyer != careful, "the careful buyer lost time for nothing"
        );
        assertTrue(!blamed || acceptors[which] != honest, "the honest server was blamed");
    }

    function finish(uint256 which, OrderStatus status) private {
        locked[orders[which].token] -= orders[which].price + bonds[which];
        states[which] = status;
        ++ends;
    }
}

contract EscrowInvariants is Orders {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Parties private parties;

    function setUp() public {
        parties = new Parties();
        escrow = parties.theEscrow();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(parties);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](14);
        // What orders live by comes up more often.
        selectors[0] = selectors[1] = Parties.wait.selector;
        selectors[2] = selectors[3] = Parties.buy.selector;
        selectors[4] = selectors[5] = Parties.take.selector;
        selectors[6] = selectors[7] = selectors[8] = Parties.send.selector;
        selectors[9] = Parties.give.selector;
        selectors[10] = Parties.cancel.selector;
        selectors[11] = Parties.giveBack.selector;
        selectors[12] = Parties.withdraw.selector;
        selectors[13] = Parties.administrate.selector;
        targets[0] = FuzzSelector(address(parties), selectors);
    }

    /// @dev One campaign for all of it.
    /// forge-config: default.invariant.runs = 48
    /// forge-config: default.invariant.depth = 96
    function invariant_noTokenIsLostAndNoOrderStuck() external view {
        everyTokenIsAccountedFor();
        eachOrderEndsOnce();
        whoNeverMisbehavesNeverLoses();
    }

    /// @dev Each token in the escrow is somebody's, the market's, or locked for an order; and everybody has what the
    /// rules say.
    function everyTokenIsAccountedFor() private view {
        for (uint256 i = 0; i < 2; ++i) {
            DevnetUSD coin = parties.tokens(i);
            address at_ = address(coin);
            uint256 sum = parties.locked(at_) + parties.feesOf(at_);
            assertEq(escrow.feesOf(at_), parties.feesOf(at_));
            for (uint256 j = 0; j < 4; ++j) {
                address account = parties.accountAt(j);
                uint256 has_ = escrow.balanceOf(account, at_);
                assertEq(has_, parties.owed(account, at_));
                sum += has_;
            }
            assertEq(coin.balanceOf(address(escrow)), sum);
        }
    }

    /// @dev An order is in the state that its parties brought it to; what has ended stays so.
    function eachOrderEndsOnce() private view {
        uint256 ended;
        for (uint256 i = 0; i < parties.count(); ++i) {
            (OrderStatus mine, OrderStatus its) = parties.stateAt(i);
            assertEq(uint256(mine), uint256(its));
            if (uint256(its) >= uint256(OrderStatus.Paid)) ++ended;
        }
        assertEq(ended, parties.ends());
    }

    /// @dev Whoever has the input and delivers in time has its bond back and its price, whatever others do.
    function whoNeverMisbehavesNeverLoses() private view {
        for (uint256 i = 0; i < 2; ++i) {
            address coin = address(parties.tokens(i));
            uint256 has_ = escrow.balanceOf(parties.honest(), coin);
            assertEq(has_ + parties.staked(coin), FUNDS + parties.earned(coin));
        }
    }

    function afterInvariant() external {
        parties.endAll();
    }
}
