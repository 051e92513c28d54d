// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Orders, TestRouter} from "./Orders.sol";
import {Errors} from "../../src/Errors.sol";
import {Events} from "../../src/Events.sol";
import {AccessRules} from "../../src/access/AccessRules.sol";
import {Authorization, Permit} from "../../src/escrow/Balances.sol";
import {Escrow} from "../../src/escrow/Escrow.sol";
import {Order} from "../../src/escrow/Order.sol";
import {OrderStatus} from "../../src/escrow/OrderLib.sol";

/// @dev Stands for the rules of access: one price, one plan with so many calls.
contract TestAccess is AccessRules {
    error NoPlan();

    bool private entitled = true;
    uint256 private price;
    bool private broken;
    uint256 private needs;
    address private holder;
    uint256 public left;

    function set(bool entitled_, uint256 price_, uint256 left_) external {
        (entitled, price, left) = (entitled_, price_, left_);
    }

    /// @dev Knows one account alone.
    function setHolder(address holder_) external {
        holder = holder_;
    }

    /// @dev Gives nothing back with less gas than that, and leaves the rest of it.
    function setNeeds(uint256 gas_) external {
        needs = gas_;
    }

    function breakDown() external {
        broken = true;
    }

    function entitlement(address account, bytes32, address, bytes32 plan)
        external
        view
        returns (bool, uint256)
    {
        require(plan == 0, "a plan is consumed");
        check(account);
        return (entitled, price);
    }

    function consume(address account, bytes32, address, bytes32 plan) external returns (uint256) {
        check(account);
        require(plan != 0 && left != 0, NoPlan());
        --left;
        return 0;
    }

    function restore(address account, bytes32, bytes32) external {
        require(gasleft() >= needs && !broken);
        check(account);
        ++left;
    }

    function check(address account) private view {
        require(holder == address(0) || account == holder, "another account");
    }
}

contract RequestTest is Orders {
    function setUp() public {
        build();
    }

    // -- the id --------------------------------------------------------------------------------

    function testFuzz_idOf_isTheDigestWrittenOutByHand(Order memory o) public view {
        assertEq(escrow.idOf(o), idFor(o));
    }

    function test_idOf_isAnotherOnAnotherChainAndInAnotherEscrow() public {
        Order memory o = orderOf(1);
        bytes32 id = escrow.idOf(o);
        Escrow other = escrowWith(AccessRules(address(0)));
        assertEq(other.idOf(o), idFor(address(other), block.chainid, o));
        assertTrue(other.idOf(o) != id, "another escrow");
        uint256 chain = block.chainid;
        vm.chainId(chain + 1);
        assertEq(escrow.idOf(o), idFor(address(escrow), chain + 1, o));
        assertTrue(escrow.idOf(o) != id, "another chain");
    }

    function test_idOf_refusesBitsBeyondAField() public view {
        bytes memory data = abi.encodeCall(escrow.idOf, (orderOf(1)));
        (bool done,) = address(escrow).staticcall(data);
        assertTrue(done, "a clean order");
        // The first byte of each field that has less than a word.
        uint8[10] memory fields = [0, 1, 2, 3, 8, 9, 10, 11, 12, 13];
        for (uint256 i = 0; i < fields.length; ++i) {
            bytes memory dirty = bytes.concat(data);
            dirty[4 + 32 * uint256(fields[i])] = 0x01;
            (done,) = address(escrow).staticcall(dirty);
            assertTrue(!done, "a dirty order");
        }
    }

    // -- request -------------------------------------------------------------------------------

    function test_request_locksThePrice() public {
        Order memory o = orderOf(1);
        vm.prank(buyer);
        token.approve(address(escrow), PRICE);
        vm.expectEmit(address(escrow));
        emit Events.Requested(idFor(o), buyer, MODEL, o, FEE_BPS);
        vm.prank(buyer);
        escrow.request(o);
        checkStatus(o, OrderStatus.Open);
        assertEq(uint256(escrow.slotOf(idFor(o)).feeBps), FEE_BPS);
        assertEq(token.balanceOf(buyer), FUNDS - PRICE);
        assertEq(token.balanceOf(address(escrow)), 2 * FUNDS + PRICE);
        has(buyer, 0);
    }

    function test_request_takesMoreThanThePrice() public {
        Order memory o = orderOf(1);
        o.price = PRICE + 1;
        request(o);
        checkStatus(o, OrderStatus.Open);
    }

    function test_request_refusesLessThanThePrice() public {
        Order memory o = orderOf(1);
        o.price = PRICE - 1;
        refused(o, abi.encodeWithSelector(Errors.PriceTooLow.selector, PRICE - 1, PRICE));
    }

    function test_request_refusesAnother() public {
        Order memory o = orderOf(1);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotBuyer.selector, buyer, stranger));
        vm.prank(stranger);
        escrow.request(o);
    }

    function test_request_refusesTheSameOrderTwice() public {
        Order memory o = orderOf(1);
        bytes32 id = request(o);
        refused(o, abi.encodeWithSelector(Errors.OrderExists.selector, id));
        vm.prank(buyer);
        escrow.cancel(o);
        refused(o, abi.encodeWithSelector(Errors.OrderExists.selector, id));
        o.salt = bytes32(uint256(2));
        request(o);
    }

    function test_request_refusesWithoutApprovalOrMoney() public {
        Order memory o = orderOf(1);
        refused(
            o,
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(escrow), 0, PRICE
            )
        );
        o.price = uint128(FUNDS + 1);
        vm.prank(buyer);
        token.approve(address(escrow), o.price);
        refused(
            o,
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, buyer, FUNDS, FUNDS + 1
            )
        );
    }

    function test_request_refusesATokenThatIsNotListed() public {
        market.setToken(address(token), false, 0);
        refused(orderOf(1), abi.encodeWithSelector(Errors.TokenNotListed.selector, address(token)));
    }

    function test_request_refusesATokenThatTheVersionIsNotSoldIn() public {
        Order memory o = orderOf(1);
        o.token = address(router);
        market.setToken(o.token, true, 0);
        refused(o, abi.encodeWithSelector(Errors.NotOnSale.selector, buyer, MODEL, o.token));
    }

    function test_request_refusesWhilePaused() public {
        market.pause();
        refused(orderOf(1), abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        market.unpause();
        request(orderOf(1));
    }

    function test_request_refusesTimesThatDoNotFollow() public {
        bytes memory why = abi.encodeWithSelector(Errors.BadTimes.selector);
        Order memory o = orderOf(1);
        o.acceptBy = uint40(block.timestamp);
        refused(o, why);
        o = orderOf(1);
        o.inputBy = o.acceptBy - 1;
        refused(o, why);
        o = orderOf(1);
        o.deliverBy = o.inputBy;
        refused(o, why);
        o = orderOf(1);
        o.rescueBy = o.deliverBy;
        refused(o, why);
        o = orderOf(1);
        o.rescueBy = uint40(block.timestamp + 30 days + 1);
        refused(o, why);
    }

    function test_request_takesTheTightestTimes() public {
        Order memory o = orderOf(1);
        o.acceptBy = o.inputBy = uint40(block.timestamp + 1);
        o.deliverBy = o.inputBy + 1;
        o.rescueBy = uint40(block.timestamp + 30 days);
        request(o);
        o.salt = 0;
        o.rescueBy = o.deliverBy + 1;
        request(o);
    }

    function test_request_refusesAVersionThatIsNotOffered() public {
        Order memory o = orderOf(1);
        o.model = keccak256("unknown");
        refused(o, abi.encodeWithSelector(Errors.UnknownVersion.selector, o.model));
        vm.prank(owner);
        registry.setActive(MODEL, false);
        refused(orderOf(1), abi.encodeWithSelector(Errors.VersionInactive.selector, MODEL));
    }

    function test_request_refusesAVersionWithoutDisclosedInputs() public {
        bytes32 other = keccak256("private inputs alone");
        offer(other, 6);
        Order memory o = orderOf(1);
        o.model = other;
        refused(o, abi.encodeWithSelector(Errors.InputNotDisclosed.selector, other));
    }

    function test_request_refusesAVerifierThatSaysTooLittle() public {
        router.setAssurance(2);
        refused(orderOf(1), abi.encodeWithSelector(Errors.AssuranceTooLow.selector, 2, 3));
        router.setAssurance(3);
        request(orderOf(1));
        router.setAssurance(2);
        router.retire();
        Order memory o = orderOf(1);
        o.assurance = 0;
        refused(o, abi.encodeWithSelector(TestRouter.Refused.selector));
    }

    function test_request_keepsTheFeeOfItsTime() public {
        Order memory o = orderOf(1);
        request(o);
        market.setFee(1000);
        assertEq(uint256(escrow.slotOf(idFor(o)).feeBps), FEE_BPS);
    }

    // -- access --------------------------------------------------------------------------------

    function test_request_refusesAPlanWhereThereAreNone() public {
        Order memory o = orderOf(1);
        o.plan = keccak256("plan");
        refused(o, abi.encodeWithSelector(Errors.NotOnSale.selector, buyer, MODEL, o.token));
    }

    function test_request_asksAccessForThePrice() public {
        TestAccess access = withAccess();
        access.set(true, PRICE + 5, 0);
        Order memory o = orderOf(1);
        refused(o, abi.encodeWithSelector(Errors.PriceTooLow.selector, PRICE, PRICE + 5));
        access.set(false, 0, 0);
        refused(o, abi.encodeWithSelector(Errors.NotOnSale.selector, buyer, MODEL, o.token));
        access.set(true, 0, 0);
        o.price = 0;
        request(o);
    }

    function test_request_takesOfAPlanAndGivesBack() public {
        TestAccess access = withAccess();
        access.set(true, 0, 1);
        Order memory o = orderOf(1);
        (o.plan, o.price) = (keccak256("plan"), 0);
        request(o);
        assertEq(access.left(), 0);
        o.salt = bytes32(uint256(2));
        refused(o, abi.encodeWithSelector(TestAccess.NoPlan.selector));
        o.salt = bytes32(uint256(1));
        vm.prank(buyer);
        escrow.cancel(o);
        assertEq(access.left(), 1);
        o.salt = bytes32(uint256(2));
        request(o);
        vm.warp(uint256(o.acceptBy) + 1);
        refund(o);
        assertEq(access.left(), 1);
    }

    function test_cancel_givesNothingBackWhereThereIsNoPlan() public {
        TestAccess access = withAccess();
        Order memory o = orderOf(1);
        request(o);
        vm.prank(buyer);
        escrow.cancel(o);
        assertEq(access.left(), 0);
    }

    /// @dev Whoever sends an order, and whoever ends it.
    function test_requestWithAuthorization_asksAccessAboutTheBuyer() public {
        TestAccess access = withAccess();
        access.setHolder(buyer);
        access.set(false, 0, 1);
        Order memory o = orderOf(1);
        Authorization memory a = authorizationOf(o, idFor(o));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.NotOnSale.selector, buyer, MODEL, address(token))
        );
        vm.prank(stranger);
        escrow.requestWithAuthorization(o, a);
        access.set(true, PRICE, 1);
        vm.prank(stranger);
        escrow.requestWithAuthorization(o, a);
        (o.plan, o.salt) = (keccak256("plan"), bytes32(uint256(2)));
        a = authorizationOf(o, idFor(o));
        vm.prank(stranger);
        escrow.requestWithAuthorization(o, a);
        assertEq(access.left(), 0);
        vm.warp(uint256(o.acceptBy) + 1);
        refund(o);
        assertEq(access.left(), 1);
    }

    function test_cancel_isNotStoppedByAccess() public {
        TestAccess access = withAccess();
        access.set(true, 0, 1);
        Order memory o = orderOf(1);
        o.plan = keccak256("plan");
        request(o);
        access.breakDown();
        vm.expectEmit(address(escrow));
        emit Events.NotTold(idFor(o), address(access));
        vm.prank(buyer);
        escrow.cancel(o);
        has(buyer, PRICE);
    }

    /// @dev Whoever ends an order cannot have the plan lose its call by leaving too little gas.
    function testFuzz_refund_givesBackWhateverGasItHas(uint256 gas) public {
        TestAccess access = withAccess();
        access.set(true, 0, 1);
        Order memory o = orderOf(1);
        o.plan = keccak256("plan");
        request(o);
        vm.warp(uint256(o.acceptBy) + 1);
        (bool done,) = address(escrow).call{gas: bound(gas, 30_000, 400_000)}(
            abi.encodeCall(escrow.refund, (o))
        );
        assertEq(access.left(), done ? 1 : 0);
    }

    /// @dev Nor where access gives nothing back for want of gas, and leaves the rest.
    function test_refund_givesBackWithTheLeastGasThatSuffices() public {
        TestAccess access = withAccess();
        access.set(true, 0, 1);
        Order memory o = orderOf(1);
        o.plan = keccak256("plan");
        request(o);
        access.setNeeds(90_000);
        vm.warp(uint256(o.acceptBy) + 1);
        bool done;
        for (uint256 gas = 30_000; !done; gas += 3_000) {
            (done,) = address(escrow).call{gas: gas}(abi.encodeCall(escrow.refund, (o)));
        }
        assertEq(access.left(), 1);
    }

    // -- permits -------------------------------------------------------------------------------

    function test_requestWithPermit_locksThePrice() public {
        Order memory o = orderOf(1);
        Permit memory p = permitOf(buyer, BUYER_KEY, PRICE);
        vm.prank(buyer);
        escrow.requestWithPermit(o, p);
        checkStatus(o, OrderStatus.Open);
        assertEq(token.allowance(buyer, address(escrow)), 0);
    }

    function test_requestWithPermit_doesNotMindThatItWasUsed() public {
        Order memory o = orderOf(1);
        Permit memory p = permitOf(buyer, BUYER_KEY, PRICE);
        vm.prank(stranger);
        token.permit(buyer, address(escrow), PRICE, p.deadline, p.v, p.r, p.s);
        vm.prank(buyer);
        escrow.requestWithPermit(o, p);
        checkStatus(o, OrderStatus.Open);
    }

    function test_requestWithPermit_refusesABadPermit() public {
        Permit memory p = permitOf(buyer, BUYER_KEY, PRICE - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(escrow), 0, PRICE
            )
        );
        vm.prank(buyer);
        escrow.requestWithPermit(orderOf(1), p);
    }

    function test_requestWithPermit_refusesAnother() public {
        Permit memory p = permitOf(buyer, BUYER_KEY, PRICE);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotBuyer.selector, buyer, stranger));
        vm.prank(stranger);
        escrow.requestWithPermit(orderOf(1), p);
    }

    // -- authorizations ------------------------------------------------------------------------

    function test_requestWithAuthorization_isSentByAnyone() public {
        Order memory o = orderOf(1);
        Authorization memory a = authorizationOf(o, idFor(o));
        vm.expectEmit(address(escrow));
        emit Events.Requested(idFor(o), buyer, MODEL, o, FEE_BPS);
        vm.prank(stranger);
        escrow.requestWithAuthorization(o, a);
        checkStatus(o, OrderStatus.Open);
        assertEq(token.balanceOf(buyer), FUNDS - PRICE);
    }

    function test_requestWithAuthorization_makesNoOtherOrder() public {
        Order memory o = orderOf(1);
        Authorization memory a = authorizationOf(o, idFor(o));
        o.bond = 0;
        vm.expectRevert(abi.encodeWithSignature("ERC3009InvalidSignature()"));
        escrow.requestWithAuthorization(o, a);
        o.bond = BOND;
        escrow.requestWithAuthorization(o, a);
        vm.expectRevert(abi.encodeWithSelector(Errors.OrderExists.selector, idFor(o)));
        escrow.requestWithAuthorization(o, a);
    }

    function test_requestWithAuthorization_refusesAnothersSignature() public {
        Order memory o = orderOf(1);
        o.buyer = alice;
        Authorization memory a = authorizationOf(o, idFor(o));
        vm.expectRevert(abi.encodeWithSignature("ERC3009InvalidSignature()"));
        escrow.requestWithAuthorization(o, a);
    }

    function test_requestWithAuthorization_refusesAnOrderThatCostsNothing() public {
        TestAccess access = withAccess();
        access.set(true, 0, 1);
        Order memory o = orderOf(1);
        (o.plan, o.price) = (keccak256("plan"), 0);
        Authorization memory a = authorizationOf(o, idFor(o));
        vm.expectRevert(abi.encodeWithSelector(Errors.NothingToAuthorize.selector));
        escrow.requestWithAuthorization(o, a);
    }

    // -- inside --------------------------------------------------------------------------------

    function refused(Order memory o, bytes memory why) private {
        vm.expectRevert(why);
        vm.prank(o.buyer);
        escrow.request(o);
    }

    function withAccess() private returns (TestAccess access) {
        access = new TestAccess();
        escrow = escrowWith(access);
    }

    function authorizationOf(Order memory o, bytes32 nonce)
        private
        view
        returns (Authorization memory a)
    {
        (a.validAfter, a.validBefore) = (block.timestamp - 1, block.timestamp + 60);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
                ),
                o.buyer,
                address(escrow),
                o.price,
                a.validAfter,
                a.validBefore,
                nonce
            )
        );
        a.signature = signatureBy(BUYER_KEY, typed(structHash));
    }

    function typed(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
    }
}
