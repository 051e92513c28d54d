// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {IERC3009, IERC3009Cancel} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Authorizations} from "./Authorizations.sol";
import {DevnetUSD} from "../src/DevnetUSD.sol";

/// @dev A wallet that is a contract and obeys one key.
contract ContractWallet {
    address private immutable signer;

    constructor(address signer_) {
        signer = signer_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature)
        external
        view
        returns (bytes4)
    {
        return
            ECDSA.recover(digest, signature) == signer ? this.isValidSignature.selector : bytes4(0);
    }
}

contract DevnetUSDTest is Authorizations {
    uint256 private constant PAYER_KEY = 0xA11CE;
    uint256 private constant STRANGER_KEY = 0xBAD;
    uint256 private constant NOW = 1_800_000_000;

    address private payer;
    address private payee = address(0xBEEF);
    DevnetUSD private token;

    function setUp() public {
        vm.warp(NOW);
        payer = vm.addr(PAYER_KEY);
        token = new DevnetUSD(address(this));
        token.mint(payer, 1_000_000);
    }

    function authorization() private view returns (Authorization memory) {
        return Authorization(payer, payee, 250_000, NOW - 60, NOW + 60, keccak256("order 1"));
    }

    // -- metadata ------------------------------------------------------------------------------

    function test_metadata_isThatOfADollarToken() public view {
        assertEq(token.decimals(), 6);
        assertEq(keccak256(bytes(token.name())), keccak256("USD Coin (devnet)"));
        assertEq(keccak256(bytes(token.symbol())), keccak256("devUSDC"));
        assertEq(keccak256(bytes(token.version())), keccak256("1"));
    }

    function test_domainSeparator_equalsTheOneWrittenOutByHand() public view {
        assertEq(token.DOMAIN_SEPARATOR(), domainOf(address(token), "1"));
    }

    function test_domainSeparator_isNotThatOfVersion2() public view {
        assertTrue(token.DOMAIN_SEPARATOR() != domainOf(address(token), "2"), "same domain");
    }

    // -- minting and ownership -----------------------------------------------------------------

    function test_mint_addsToBalanceAndSupply() public {
        token.mint(payee, 7);
        assertEq(token.balanceOf(payee), 7);
        assertEq(token.totalSupply(), 1_000_007);
    }

    function test_mint_isForTheOwnerOnly() public {
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, payer));
        token.mint(payer, 1);
    }

    function test_ownership_movesOnlyWhenAccepted() public {
        token.transferOwnership(payee);
        assertEq(token.owner(), address(this));
        vm.prank(payee);
        token.acceptOwnership();
        assertEq(token.owner(), payee);
    }

    function test_ownership_cannotBeAcceptedByAStranger() public {
        token.transferOwnership(payee);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, payer));
        token.acceptOwnership();
    }

    // -- transferWithAuthorization -------------------------------------------------------------

    function test_transfer_movesTheValueAndMarksTheNonce() public {
        Authorization memory a = authorization();
        assertTrue(!token.authorizationState(payer, a.nonce), "used before");
        vm.expectEmit(address(token));
        emit IERC3009.AuthorizationUsed(payer, a.nonce);
        transferBy(token, PAYER_KEY, a);
        assertEq(token.balanceOf(payee), 250_000);
        assertEq(token.balanceOf(payer), 750_000);
        assertTrue(token.authorizationState(payer, a.nonce), "unused after");
    }

    function test_transfer_rejectsAnotherSigner() public {
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        this.transferAs(STRANGER_KEY, authorization());
    }

    function test_transfer_rejectsAnAlteredValue() public {
        Authorization memory a = authorization();
        bytes32 digest = digestOf(domainOf(address(token), "1"), hashOf(TRANSFER, a));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, digest);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        token.transferWithAuthorization(
            a.from, a.to, a.value + 1, a.validAfter, a.validBefore, a.nonce, v, r, s
        );
    }

    function test_transfer_rejectsASignatureForAnotherDomain() public {
        Authorization memory a = authorization();
        bytes32 digest = digestOf(domainOf(address(token), "2"), hashOf(TRANSFER, a));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, digest);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        token.transferWithAuthorization(
            a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, v, r, s
        );
    }

    function test_transfer_rejectsAReplayedNonce() public {
        Authorization memory a = authorization();
        transferBy(token, PAYER_KEY, a);
        vm.expectRevert(
            abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, a.nonce)
        );
        this.transferAs(PAYER_KEY, a);
        assertEq(token.balanceOf(payee), 250_000);
    }

    function test_transfer_rejectsAnExpiredAuthorization() public {
        Authorization memory a = authorization();
        vm.warp(a.validBefore);
        expectBadTime(a);
        this.transferAs(PAYER_KEY, a);
    }

    function test_transfer_acceptsTheLastSecond() public {
        Authorization memory a = authorization();
        vm.warp(a.validBefore - 1);
        transferBy(token, PAYER_KEY, a);
        assertEq(token.balanceOf(payee), 250_000);
    }

    function test_transfer_rejectsAnAuthorizationThatIsNotYetValid() public {
        Authorization memory a = authorization();
        vm.warp(a.validAfter);
        expectBadTime(a);
        this.transferAs(PAYER_KEY, a);
    }

    function test_transfer_readsTimesAsSecondsWhateverTheirBits() public {
        Authorization memory a = authorization();
        a.validAfter = 1 << 47;
        a.validBefore = (1 << 47) | (1 << 40);
        expectBadTime(a);
        this.transferAs(PAYER_KEY, a);
    }

    function test_transfer_rejectsMoreThanTheBalance() public {
        Authorization memory a = authorization();
        a.value = 1_000_001;
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, payer, 1_000_000, 1_000_001
            )
        );
        this.transferAs(PAYER_KEY, a);
        assertTrue(!token.authorizationState(payer, a.nonce), "a failed transfer used the nonce");
    }

    // -- the form that takes signature bytes ---------------------------------------------------

    function test_transferBytes_acceptsAKeySignature() public {
        transferBytes(payer, PAYER_KEY);
        assertEq(token.balanceOf(payee), 250_000);
    }

    function test_transferBytes_rejectsAnotherSigner() public {
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        this.transferBytes(payer, STRANGER_KEY);
    }

    function test_transferBytes_acceptsAContractWallet() public {
        address wallet = address(new ContractWallet(payer));
        token.mint(wallet, 250_000);
        transferBytes(wallet, PAYER_KEY);
        assertEq(token.balanceOf(payee), 250_000);
    }

    function test_transferBytes_rejectsAContractWalletWithAnotherKey() public {
        address wallet = address(new ContractWallet(payer));
        token.mint(wallet, 250_000);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        this.transferBytes(wallet, STRANGER_KEY);
    }

    // -- receiveWithAuthorization --------------------------------------------------------------

    function test_receive_paysTheCallerThatIsNamed() public {
        receiveAs(payee);
        assertEq(token.balanceOf(payee), 250_000);
    }

    function test_receive_rejectsACallerThatIsNotTheRecipient() public {
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, payee));
        this.receiveAs(address(0xC0FFEE));
    }

    function test_receive_rejectsASignatureMadeForTransfer() public {
        Authorization memory a = authorization();
        bytes32 digest = digestOf(domainOf(address(token), "1"), hashOf(TRANSFER, a));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, digest);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        token.receiveWithAuthorization(
            a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, v, r, s
        );
    }

    // -- cancelAuthorization -------------------------------------------------------------------

    function test_cancel_makesTheAuthorizationUseless() public {
        Authorization memory a = authorization();
        cancelBy(PAYER_KEY);
        assertTrue(token.authorizationState(payer, a.nonce), "still open");
        vm.expectRevert(
            abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, a.nonce)
        );
        this.transferAs(PAYER_KEY, a);
    }

    function test_cancel_rejectsAnotherSigner() public {
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        this.cancelBy(STRANGER_KEY);
    }

    function test_cancel_rejectsANonceThatWasUsed() public {
        Authorization memory a = authorization();
        transferBy(token, PAYER_KEY, a);
        vm.expectRevert(
            abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, a.nonce)
        );
        this.cancelBy(PAYER_KEY);
    }

    // -- fuzz ----------------------------------------------------------------------------------

    function testFuzz_transfer_movesExactlyTheValueOnce(
        uint256 value,
        uint256 before,
        uint256 lead,
        bytes32 nonce
    ) public {
        Authorization memory a = Authorization({
            from: payer,
            to: payee,
            value: bound(value, 0, 1_000_000),
            validAfter: bound(lead, 0, NOW - 1),
            validBefore: bound(before, NOW + 1, type(uint256).max),
            nonce: nonce
        });
        transferBy(token, PAYER_KEY, a);
        assertEq(token.balanceOf(payee), a.value);
        assertEq(token.balanceOf(payer), 1_000_000 - a.value);
        vm.expectRevert(
            abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, nonce)
        );
        this.transferAs(PAYER_KEY, a);
    }

    function testFuzz_transfer_rejectsEverySignatureNotMadeByThePayer(uint8 v, bytes32 r, bytes32 s)
        public
    {
        Authorization memory a = authorization();
        vm.expectRevert();
        token.transferWithAuthorization(
            a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, v, r, s
        );
    }

    // -- steps that are called through `this`, so that expectRevert sees one call --------------

    function transferAs(uint256 key, Authorization memory a) public {
        transferBy(token, key, a);
    }

    function transferBytes(address from, uint256 key) public {
        Authorization memory a = authorization();
        a.from = from;
        bytes32 digest = digestOf(domainOf(address(token), "1"), hashOf(TRANSFER, a));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        token.transferWithAuthorization(
            a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, abi.encodePacked(r, s, v)
        );
    }

    function receiveAs(address caller) public {
        Authorization memory a = authorization();
        bytes32 digest = digestOf(domainOf(address(token), "1"), hashOf(RECEIVE, a));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, digest);
        vm.prank(caller);
        token.receiveWithAuthorization(
            a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, v, r, s
        );
    }

    function cancelBy(uint256 key) public {
        bytes32 nonce = authorization().nonce;
        bytes32 structHash = keccak256(abi.encode(CANCEL, payer, nonce));
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, digestOf(domainOf(address(token), "1"), structHash));
        token.cancelAuthorization(payer, nonce, v, r, s);
    }

    function expectBadTime(Authorization memory a) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                ERC3009.ERC3009InvalidAuthorizationTime.selector, a.validAfter, a.validBefore
            )
        );
    }
}
