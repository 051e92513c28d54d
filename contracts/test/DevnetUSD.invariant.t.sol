// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Authorizations} from "./Authorizations.sol";
import {DevnetUSD} from "../src/DevnetUSD.sol";

/// @dev Three payers who pay, replay, cancel and pay again with few nonces, in any order.
contract Payers is Authorizations {
    uint256 private constant NONCES = 8;

    DevnetUSD private immutable token;
    uint256 public minted;
    mapping(address payer => mapping(bytes32 nonce => uint256 times)) private spent;
    uint256 public mostTimesSpent;

    constructor() {
        token = new DevnetUSD(address(this));
        vm.warp(1_800_000_000);
    }

    function dollars() external view returns (DevnetUSD) {
        return token;
    }

    function payerAt(uint256 index) public pure returns (address) {
        return vm.addr(keyAt(index));
    }

    function mint(uint256 who, uint256 value) external {
        value = bound(value, 0, 1e12);
        token.mint(payerAt(who), value);
        minted += value;
    }

    function pay(uint256 from, uint256 to, uint256 value, uint256 nonce) external {
        Authorization memory a = Authorization({
            from: payerAt(from),
            to: payerAt(to),
            value: bound(value, 0, token.balanceOf(payerAt(from))),
            validAfter: 0,
            validBefore: type(uint256).max,
            nonce: bytes32(nonce % NONCES)
        });
        bool wasUsed = token.authorizationState(a.from, a.nonce);
        try this.send(keyAt(from), a) {
            assertTrue(!wasUsed, "a used nonce paid again");
            uint256 times = ++spent[a.from][a.nonce];
            if (times > mostTimesSpent) mostTimesSpent = times;
        } catch {
            assertTrue(wasUsed, "an open nonce could not pay");
        }
    }

    function cancel(uint256 who, uint256 nonce) external {
        address payer = payerAt(who);
        bytes32 id = bytes32(nonce % NONCES);
        bytes32 digest =
            digestOf(domainOf(address(token), "1"), keccak256(abi.encode(CANCEL, payer, id)));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyAt(who), digest);
        bool wasUsed = token.authorizationState(payer, id);
        try token.cancelAuthorization(payer, id, v, r, s) {
            assertTrue(!wasUsed, "a used nonce was cancelled");
        } catch {
            assertTrue(wasUsed, "an open nonce could not be cancelled");
        }
    }

    /// @dev Only for this contract itself: `pay` catches what it reverts with.
    function send(uint256 key, Authorization memory a) external {
        require(msg.sender == address(this), "not a step of its own");
        transferBy(token, key, a);
    }

    function keyAt(uint256 index) private pure returns (uint256) {
        return 0xA11CE + index % 3;
    }
}

contract DevnetUSDInvariants is Authorizations {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Payers private payers;

    function setUp() public {
        payers = new Payers();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(payers);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](3);
        selectors[0] = Payers.mint.selector;
        selectors[1] = Payers.pay.selector;
        selectors[2] = Payers.cancel.selector;
        targets[0] = FuzzSelector(address(payers), selectors);
    }

    function invariant_moneyIsNeitherMadeNorLost() external view {
        DevnetUSD token = payers.dollars();
        uint256 held = token.balanceOf(payers.payerAt(0)) + token.balanceOf(payers.payerAt(1))
            + token.balanceOf(payers.payerAt(2));
        assertEq(held, payers.minted());
        assertEq(token.totalSupply(), payers.minted());
    }

    function invariant_noNoncePaysTwice() external view {
        assertTrue(payers.mostTimesSpent() <= 1, "a nonce paid twice");
    }
}
