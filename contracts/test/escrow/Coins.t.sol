// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Orders} from "./Orders.sol";
import {
    BackwardCoin,
    BlacklistCoin,
    CallingCoin,
    Coin,
    FalseCoin,
    FeeCoin,
    RebasingCoin,
    SilentCoin,
    WalletCoin
} from "./Tokens.sol";
import {Errors} from "../../src/Errors.sol";
import {Authorization, Permit} from "../../src/escrow/Balances.sol";
import {Order} from "../../src/escrow/Order.sol";
import {OrderStatus} from "../../src/escrow/OrderLib.sol";

/// @dev A contract that takes every signature over what it said yes to before.
contract YesWallet is IERC1271 {
    bytes32 private yes;

    function say(bytes32 digest) external {
        yes = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature)
        external
        view
        returns (bytes4)
    {
        require(signature.length == 3, "not as it was handed over");
        return digest == yes ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

/// @dev What tokens do that are not as good as a dollar.
contract CoinsTest is Orders {
    function setUp() public {
        build();
    }

    function test_aTokenThatTakesAFeeIsRefused() public {
        Coin coin = list(new FeeCoin());
        coin.mint(alice, 1e6);
        vm.prank(alice);
        coin.approve(address(escrow), 1e6);
        bytes memory why = abi.encodeWithSelector(
            Errors.WrongAmountReceived.selector, address(coin), 990_000, 1e6
        );
        vm.expectRevert(why);
        vm.prank(alice);
        escrow.deposit(address(coin), 1e6);
        Order memory o = orderIn(coin);
        o.price = 1e6;
        coin.mint(buyer, 1e6);
        vm.prank(buyer);
        coin.approve(address(escrow), 1e6);
        vm.expectRevert(why);
        vm.prank(buyer);
        escrow.request(o);
    }

    function test_aTokenThatReturnsFalseIsRefused() public {
        FalseCoin coin = FalseCoin(address(list(new FalseCoin())));
        stock(coin);
        coin.refuse(true);
        Order memory o = orderIn(coin);
        bytes memory why =
            abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(coin));
        vm.expectRevert(why);
        vm.prank(buyer);
        escrow.request(o);
        vm.expectRevert(why);
        vm.prank(alice);
        escrow.withdraw(address(coin), alice, 1);
        // Where there is nothing to move it is not asked.
        escrow.deposit(address(coin), 0);
        coin.refuse(false);
        vm.prank(alice);
        escrow.withdraw(address(coin), alice, 1);
    }

    function test_aTokenThatTakesFromTheEscrowIsRefused() public {
        Coin coin = list(new BackwardCoin());
        coin.mint(address(escrow), 5);
        vm.expectRevert(
            abi.encodeWithSelector(Errors.WrongAmountReceived.selector, address(coin), 0, 1)
        );
        vm.prank(alice);
        escrow.deposit(address(coin), 1);
    }

    /// @dev Who comes first is paid, who comes last waits until the token is there again; other tokens do not
    /// notice, nor do orders.
    function test_aTokenThatShrinksIsShortInItselfAlone() public {
        RebasingCoin coin = RebasingCoin(address(list(new RebasingCoin())));
        stock(coin);
        Order memory o = orderIn(coin);
        vm.prank(buyer);
        escrow.request(o);
        accept(o, alice, true);
        coin.shrink(address(escrow), FUNDS);
        deliver(o, alice);
        // Bob is first.
        vm.prank(bob);
        escrow.withdraw(address(coin), bob, FUNDS);
        uint256 owed = escrow.balanceOf(alice, address(coin));
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, address(escrow), PRICE, owed
            )
        );
        vm.prank(alice);
        escrow.withdraw(address(coin), alice, owed);
        // What is there she has, and the rest when it is there again.
        vm.prank(alice);
        escrow.withdraw(address(coin), alice, PRICE);
        coin.mint(address(escrow), FUNDS);
        vm.prank(alice);
        escrow.withdraw(address(coin), alice, owed - PRICE);
        vm.prank(alice);
        escrow.withdraw(address(token), alice, FUNDS);
    }

    function test_aBlacklistedPartyStopsNobodyElse() public {
        BlacklistCoin coin = BlacklistCoin(address(list(new BlacklistCoin())));
        stock(coin);
        Order memory o = orderIn(coin);
        vm.prank(buyer);
        escrow.request(o);
        accept(o, alice, true);
        coin.blacklist(buyer);
        coin.blacklist(alice);
        vm.warp(uint256(o.deliverBy) + 1);
        // The buyer has its half of the bond, the rescuer its price, though the token refuses two of three.
        deliver(o, bob);
        vm.prank(bob);
        escrow.withdraw(address(coin), bob, FUNDS);
        assertEq(coin.balanceOf(bob), FUNDS);
        vm.expectRevert(abi.encodeWithSignature("Error(string)", "blacklisted"));
        vm.prank(buyer);
        escrow.withdraw(address(coin), buyer, 1);
        // Where the token lets it, another account gets it.
        vm.prank(buyer);
        escrow.withdraw(address(coin), stranger, 1);
        assertEq(coin.balanceOf(stranger), 1);
    }

    function test_aBlacklistedBuyerIsRefundedAllTheSame() public {
        BlacklistCoin coin = BlacklistCoin(address(list(new BlacklistCoin())));
        stock(coin);
        Order memory o = orderIn(coin);
        vm.prank(buyer);
        escrow.request(o);
        accept(o, alice, true);
        coin.blacklist(buyer);
        vm.warp(uint256(o.rescueBy) + 1);
        refund(o);
        assertEq(escrow.balanceOf(buyer, address(coin)), PRICE + BOND);
    }

    function test_aTokenThatCallsBackFindsTheDoorShut() public {
        CallingCoin coin = CallingCoin(address(list(new CallingCoin())));
        stock(coin);
        Order memory o = orderIn(coin);
        // While a price is taken: a deposit of the same money, and the same order again.
        coin.arm(address(escrow), abi.encodeCall(escrow.deposit, (address(coin), 1)));
        vm.prank(buyer);
        escrow.request(o);
        checkShut(coin);
        Order memory other = orderIn(coin);
        other.salt = bytes32(uint256(2));
        coin.arm(address(escrow), abi.encodeCall(escrow.cancel, (other)));
        vm.prank(buyer);
        escrow.request(other);
        checkShut(coin);
        // While a balance is paid out: the same once more.
        coin.arm(
            address(escrow), abi.encodeCall(escrow.withdraw, (address(coin), address(coin), 0))
        );
        vm.prank(alice);
        escrow.withdraw(address(coin), alice, FUNDS);
        checkShut(coin);
        assertEq(coin.balanceOf(alice), FUNDS);
    }

    function test_aTokenThatCallsBackFindsEveryDoorShut() public {
        CallingCoin coin = CallingCoin(address(list(new CallingCoin())));
        coin.mint(alice, 100);
        vm.prank(alice);
        coin.approve(address(escrow), 100);
        address at_ = address(coin);
        Order memory o = orderIn(coin);
        Permit memory p;
        Authorization memory a;
        bytes[11] memory calls = [
            abi.encodeCall(escrow.deposit, (at_, 1)),
            abi.encodeCall(escrow.depositWithPermit, (at_, 1, p)),
            abi.encodeCall(escrow.withdraw, (at_, alice, 1)),
            abi.encodeCall(escrow.withdrawFees, (at_, alice, 1)),
            abi.encodeCall(escrow.request, (o)),
            abi.encodeCall(escrow.requestWithPermit, (o, p)),
            abi.encodeCall(escrow.requestWithAuthorization, (o, a)),
            abi.encodeCall(escrow.cancel, (o)),
            abi.encodeCall(escrow.accept, (o, true)),
            abi.encodeCall(escrow.deliver, (o, new bytes[](0), "")),
            abi.encodeCall(escrow.refund, (o))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            coin.arm(address(escrow), calls[i]);
            vm.prank(alice);
            escrow.deposit(at_, 1);
            checkShut(coin);
        }
        assertEq(escrow.balanceOf(alice, at_), calls.length);
    }

    function test_aTokenThatIgnoresAuthorizationsIsRefused() public {
        Coin coin = list(new SilentCoin());
        stock(coin);
        Order memory o = orderIn(coin);
        Authorization memory a = Authorization(0, type(uint256).max, new bytes(65));
        vm.expectRevert(
            abi.encodeWithSelector(Errors.WrongAmountReceived.selector, address(coin), 0, PRICE)
        );
        escrow.requestWithAuthorization(o, a);
    }

    function test_aWalletThatIsAContractAuthorizes() public {
        Coin coin = list(new WalletCoin());
        YesWallet wallet = new YesWallet();
        coin.mint(address(wallet), PRICE);
        Order memory o = orderIn(coin);
        o.buyer = address(wallet);
        Authorization memory a = Authorization(0, block.timestamp + 60, hex"010203");
        vm.expectRevert(abi.encodeWithSignature("Error(string)", "signature"));
        escrow.requestWithAuthorization(o, a);
        wallet.say(
            keccak256(
                abi.encode(
                    address(wallet), address(escrow), PRICE, 0, block.timestamp + 60, idFor(o)
                )
            )
        );
        escrow.requestWithAuthorization(o, a);
        checkStatus(o, OrderStatus.Open);
    }

    // -- inside --------------------------------------------------------------------------------

    function list(Coin coin) private returns (Coin) {
        market.setToken(address(coin), true, 0);
        price(address(coin), PRICE);
        return coin;
    }

    /// @dev Gives the buyer money that is approved, and servers balances.
    function stock(Coin coin) private {
        coin.mint(buyer, FUNDS);
        vm.prank(buyer);
        coin.approve(address(escrow), FUNDS);
        fund(alice, address(coin), FUNDS);
        fund(bob, address(coin), FUNDS);
    }

    function orderIn(Coin coin) private view returns (Order memory o) {
        o = orderOf(1);
        o.token = address(coin);
    }

    function checkShut(CallingCoin coin) private view {
        assertTrue(coin.called(), "called");
        assertEq(
            keccak256(coin.answer()),
            keccak256(abi.encodeWithSignature("ReentrancyGuardReentrantCall()"))
        );
    }
}
