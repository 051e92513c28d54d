// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Authorizations} from "./Authorizations.sol";
import {DevnetUSD} from "../src/DevnetUSD.sol";
import {PayerKey, TokenStateReader} from "../src/TokenStateReader.sol";

/// @dev Answers every question with so many bytes of ones; above a thousand it reverts.
contract OddToken {
    error Refuse(uint256 why);

    uint256 private immutable size;

    constructor(uint256 size_) {
        size = size_;
    }

    fallback() external {
        uint256 length = size;
        if (length > 1000) revert Refuse(7);
        assembly ("memory-safe") {
            mstore(0, not(0))
            mstore(32, not(0))
            return(0, length)
        }
    }
}

contract TokenStateReaderTest is Authorizations {
    uint256 private constant PAYER_KEY = 0xA11CE;
    uint256 private constant NOW = 1_800_000_000;
    bytes32 private constant USED = keccak256("order 1");

    DevnetUSD private token;
    address private payer;

    function setUp() public {
        vm.warp(NOW);
        token = new DevnetUSD(address(this));
        payer = vm.addr(PAYER_KEY);
        token.mint(payer, 1_000_000);
        Authorization memory a =
            Authorization(payer, address(0xBEEF), 250_000, NOW - 60, NOW + 60, USED);
        transferBy(token, PAYER_KEY, a);
    }

    /// @dev The words that an `eth_call` with this creation code answers.
    function ask(address asked, PayerKey[] memory keys) private returns (uint256[] memory words) {
        bytes memory answer = address(new TokenStateReader(asked, keys)).code;
        words = new uint256[](answer.length / 32);
        for (uint256 place = 32; place <= answer.length; place += 32) {
            assembly ("memory-safe") { mstore(add(words, place), mload(add(answer, place))) }
        }
    }

    function one() private view returns (PayerKey[] memory keys) {
        keys = new PayerKey[](1);
        keys[0] = PayerKey(payer, USED);
    }

    function test_tellsBalanceAndNonceOfEach() public {
        PayerKey[] memory keys = new PayerKey[](3);
        keys[0] = PayerKey(payer, USED);
        keys[1] = PayerKey(payer, keccak256("another"));
        keys[2] = PayerKey(address(0xBEEF), USED);
        uint256[] memory words = ask(address(token), keys);
        assertEq(words.length, 7);
        assertEq(words[0], 3);
        assertEq(words[1], 750_000);
        assertEq(words[2], 1);
        assertEq(words[3], 750_000);
        assertEq(words[4], 0);
        assertEq(words[5], 250_000);
        assertEq(words[6], 0);
    }

    function test_tellsWhichAccountsHaveCode() public {
        address delegated = address(0xDE1E);
        vm.etch(delegated, abi.encodePacked(hex"ef0100", address(token)));
        PayerKey[] memory keys = new PayerKey[](3);
        keys[0] = PayerKey(address(token), keccak256("another"));
        keys[1] = PayerKey(delegated, keccak256("another"));
        keys[2] = PayerKey(payer, USED);
        uint256[] memory words = ask(address(token), keys);
        assertEq(words[2], 2);
        assertEq(words[4], 2);
        assertEq(words[6], 1);
    }

    function test_nobodyIsAskedAbout() public {
        uint256[] memory words = ask(address(token), new PayerKey[](0));
        assertEq(words.length, 1);
        assertEq(words[0], 0);
    }

    function test_asManyAsAreEverAskedAboutFit() public {
        PayerKey[] memory keys = new PayerKey[](256);
        for (uint256 i = 0; i < 256; ++i) {
            keys[i] = PayerKey(address(uint160(i + 1)), bytes32(i));
        }
        keys[255] = PayerKey(payer, USED);
        uint256 before = gasleft();
        uint256[] memory words = ask(address(token), keys);
        assertTrue(before - gasleft() < 8_000_000, "a node lets a call take more than that");
        assertEq(words.length, 513);
        assertEq(words[511], 750_000);
        assertEq(words[512], 1);
    }

    function test_codeMayBeginWithAnyBalance() public {
        uint256[] memory words = ask(address(new OddToken(32)), one());
        assertEq(words[1], type(uint256).max);
        assertEq(words[2], 1);
    }

    function test_anAddressWithoutCodeIsABadAnswer() public {
        vm.expectRevert(abi.encodeWithSelector(TokenStateReader.BadAnswer.selector, 0));
        new TokenStateReader(address(0xBEEF), one());
    }

    function test_anAnswerOfAnotherLengthIsABadOne() public {
        address short = address(new OddToken(31));
        address long = address(new OddToken(33));
        vm.expectRevert(abi.encodeWithSelector(TokenStateReader.BadAnswer.selector, 31));
        new TokenStateReader(short, one());
        vm.expectRevert(abi.encodeWithSelector(TokenStateReader.BadAnswer.selector, 33));
        new TokenStateReader(long, one());
    }

    function test_whatTheTokenRevertsWithIsPassedOn() public {
        address refusing = address(new OddToken(1001));
        vm.expectRevert(abi.encodeWithSelector(OddToken.Refuse.selector, 7));
        new TokenStateReader(refusing, one());
    }
}
