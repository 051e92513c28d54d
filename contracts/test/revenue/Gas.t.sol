// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Authorizations} from "../Authorizations.sol";
import {GasMeter} from "../GasMeter.sol";
import {DevnetUSD} from "../../src/DevnetUSD.sol";
import {Funding, PayoutItem, Payouts} from "../../src/revenue/Payouts.sol";

/// @dev Payouts to 50 payees: none of whom holds any yet; and all of whom do, in an order of which the first had other
/// ids.
contract PayoutsGasTest is Authorizations, GasMeter {
    uint256 private constant PAYER_KEY = 0xA11CE;
    uint256 private constant COUNT = 50;
    uint256 private constant AMOUNT = 1_234_567;

    DevnetUSD private usd;
    Payouts private payouts;
    address private payer;

    function setUp() public {
        payer = vm.addr(PAYER_KEY);
        usd = new DevnetUSD(address(this));
        payouts = new Payouts();
        usd.mint(payer, 1e12);
        vm.prank(payer);
        usd.approve(address(payouts), type(uint256).max);
        vm.prank(payer);
        payouts.pay(address(usd), itemsOf("earlier", "payee"));
    }

    function test_gas_payoutOf50TakesAtMost45000Each() public {
        PayoutItem[] memory items = itemsOf("now", "new payee");
        Funding memory funding = signedFor(COUNT * AMOUNT);
        bytes memory data =
            abi.encodeCall(payouts.payWithAuthorization, (address(usd), items, funding));
        uint256 gas = transaction("pay 50 new payees, with an authorization: each", data);
        assertTrue(gas <= 45_000, "a payout is dearer than 45,000");
        assertTrue(gas > 25_000, "the measurement misses something");
    }

    function test_gas_payoutOf50ToTheSameTakesAtMost45000Each() public {
        bytes memory data = abi.encodeCall(payouts.pay, (address(usd), itemsOf("now", "payee")));
        uint256 gas = transaction("pay 50 payees, by allowance: each", data);
        assertTrue(gas <= 45_000, "a payout is dearer than 45,000");
    }

    /// @dev The part of one of the payees.
    function transaction(string memory what, bytes memory data) private returns (uint256 gas) {
        gas = measured(payer, address(payouts), data) / COUNT;
        vm.snapshotValue("revenue", what, gas);
    }

    function itemsOf(string memory payout, string memory payee)
        private
        pure
        returns (PayoutItem[] memory items)
    {
        items = new PayoutItem[](COUNT);
        uint256 word = uint256(keccak256(bytes(payout))) >> 8 << 8;
        for (uint256 i = 0; i < COUNT; ++i) {
            address to = address(uint160(uint256(keccak256(abi.encode(payee, i)))));
            items[i] = PayoutItem(bytes32(word + i), to, AMOUNT);
        }
    }

    function signedFor(uint256 total) private view returns (Funding memory) {
        Authorization memory a = Authorization(
            payer, address(payouts), total, 0, type(uint256).max, keccak256("payout")
        );
        bytes32 digest = digestOf(domainOf(address(usd), "1"), hashOf(RECEIVE, a));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, digest);
        return Funding(0, type(uint256).max, a.nonce, v, r, s);
    }
}
