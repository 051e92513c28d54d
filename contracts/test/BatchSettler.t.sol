// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Batches, Recorder, TrickyToken} from "./Batches.sol";
import {DevnetUSD} from "../src/DevnetUSD.sol";
import {Authorization as Item, BatchSettler} from "../src/BatchSettler.sol";

contract BatchSettlerTest is Batches {
    uint256 private constant PAYERS = 40;
    uint256 private constant PRICE = 250_000;
    uint256 private constant BAD = 17;

    address private constant PAYEE = address(0xBEEF);
    DevnetUSD private token;
    BatchSettler private batch;
    TrickyToken private tricky;

    function setUp() public {
        vm.warp(NOW);
        token = new DevnetUSD(address(this));
        batch = new BatchSettler();
        tricky = new TrickyToken();
        for (uint256 i = 0; i < PAYERS; ++i) {
            token.mint(payerAt(i), 1_000_000);
        }
    }

    // -- good batches --------------------------------------------------------------------------

    function test_settle_movesEveryItem() public {
        Item[] memory items = goodItems(PAYERS);
        Recorder.Log[] memory logs = settleAll(items, PAYERS);
        assertEq(token.balanceOf(PAYEE), PAYERS * PRICE);
        for (uint256 i = 0; i < PAYERS; ++i) {
            assertEq(token.balanceOf(items[i].payer), 1_000_000 - PRICE);
            assertEq(paid(address(token), items[i].nonce, logs), 1);
        }
    }

    function test_settle_emitsItsEventAfterThoseOfTheToken() public {
        Item[] memory items = goodItems(2);
        Recorder.Log[] memory logs = settleAll(items, 2);
        assertEq(logs.length, 6);
        for (uint256 i = 0; i < 2; ++i) {
            assertEq(logs[3 * i].topics[0], IERC3009.AuthorizationUsed.selector);
            assertEq(logs[3 * i + 1].topics[0], MOVED);
            assertEq(logs[3 * i + 2].topics[0], BatchSettler.Settled.selector);
            assertEq(logs[3 * i + 2].emitter, address(batch));
            assertEq(logs[3 * i + 2].topics[1], bytes32(uint256(uint160(address(token)))));
            assertEq(logs[3 * i + 2].topics[2], bytes32(uint256(uint160(items[i].payer))));
            assertEq(logs[3 * i + 2].topics[3], items[i].nonce);
        }
    }

    function test_settle_isOpenToAnyone() public {
        Item[] memory items = goodItems(3);
        vm.prank(address(0xBAD));
        assertEq(batch.settle(token, ITEM_GAS, items), 3);
        assertEq(token.balanceOf(PAYEE), 3 * PRICE);
        assertEq(token.balanceOf(address(0xBAD)), 0);
    }

    function test_settle_paysDifferentPayees() public {
        Item[] memory items = goodItems(3);
        for (uint256 i = 0; i < 3; ++i) {
            Authorization memory a = good(i);
            a.to = address(uint160(0xFEE0 + i));
            items[i] = signed(token, keyAt(i), a);
        }
        settleAll(items, 3);
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(token.balanceOf(address(uint160(0xFEE0 + i))), PRICE);
        }
    }

    // -- one bad item among many ---------------------------------------------------------------

    function test_badItem_signatureOfAnother() public {
        refusesOnly(
            signed(token, keyAt(BAD + 1), good(BAD)),
            abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector)
        );
    }

    function test_badItem_alteredValue() public {
        Item memory item = signed(token, keyAt(BAD), good(BAD));
        item.value += 1;
        refusesOnly(item, abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
    }

    function test_badItem_redirectedPayee() public {
        Item memory item = signed(token, keyAt(BAD), good(BAD));
        item.payee = address(0xBAD);
        refusesOnly(item, abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        assertEq(token.balanceOf(address(0xBAD)), 0);
    }

    function test_badItem_malformedSignature() public {
        Item memory item = signed(token, keyAt(BAD), good(BAD));
        (item.v, item.r, item.s) = (99, bytes32(0), bytes32(type(uint256).max));
        refusesOnly(item, abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, item.s));
    }

    function test_badItem_allZero() public {
        Item memory item;
        refusesOnly(item, abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector));
    }

    function test_badItem_replayed() public {
        Authorization memory a = good(BAD);
        transferBy(token, keyAt(BAD), a);
        refusesOnly(
            signed(token, keyAt(BAD), a),
            abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, a.from, a.nonce)
        );
        assertEq(token.balanceOf(a.from), 1_000_000 - PRICE);
    }

    function test_badItem_expired() public {
        Authorization memory a = good(BAD);
        a.validBefore = NOW;
        refusesOnly(signed(token, keyAt(BAD), a), badTime(a));
    }

    function test_badItem_notYetValid() public {
        Authorization memory a = good(BAD);
        a.validAfter = NOW;
        refusesOnly(signed(token, keyAt(BAD), a), badTime(a));
    }

    function test_badItem_moreThanTheBalance() public {
        Authorization memory a = good(BAD);
        a.value = 1_000_001;
        refusesOnly(
            signed(token, keyAt(BAD), a),
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, a.from, 1_000_000, a.value
            )
        );
        assertTrue(!token.authorizationState(a.from, a.nonce), "a refused item used its nonce");
    }

    function test_badItem_wouldPayTheBatchItself() public {
        Authorization memory a = good(BAD);
        a.to = address(batch);
        refusesOnly(
            signed(token, keyAt(BAD), a),
            abi.encodeWithSelector(BatchSettler.PayeeIsBatchSettler.selector)
        );
    }

    function test_badItem_theSameTwiceSettlesOnce() public {
        Item[] memory items = goodItems(3);
        items[2] = items[0];
        Recorder.Log[] memory logs = settleAll(items, 2);
        assertEq(token.balanceOf(PAYEE), 2 * PRICE);
        assertEq(
            refusal(logs, 2),
            abi.encodeWithSelector(
                ERC3009.ERC3009UsedAuthorization.selector, items[0].payer, items[0].nonce
            )
        );
    }

    // -- the call itself -----------------------------------------------------------------------

    function test_settle_rejectsAnEmptyBatch() public {
        vm.expectRevert(abi.encodeWithSelector(BatchSettler.WrongItemCount.selector, 0));
        batch.settle(token, ITEM_GAS, new Item[](0));
    }

    function test_settle_rejectsOneItemTooMany() public {
        uint256 most = batch.MAX_ITEMS();
        vm.expectRevert(abi.encodeWithSelector(BatchSettler.WrongItemCount.selector, most + 1));
        batch.settle(token, ITEM_GAS, new Item[](most + 1));
    }

    function test_settle_takesTheMostItems() public {
        uint256 most = batch.MAX_ITEMS();
        assertEq(batch.settle(IERC3009(address(tricky)), 5_000, new Item[](most)), most);
    }

    function test_settle_rejectsAnAddressWithoutCode() public {
        Item[] memory items = goodItems(1);
        vm.expectRevert(abi.encodeWithSelector(BatchSettler.NotAToken.selector, PAYEE));
        batch.settle(IERC3009(PAYEE), ITEM_GAS, items);
    }

    function test_settle_rejectsABatchThatIsNoAbi() public {
        Item[] memory items = goodItems(2);
        bytes memory data = abi.encodeCall(batch.settle, (token, ITEM_GAS, items));
        data[4 + 4 * 32 + 6 * 32] = 0x01; // above the byte of the first item's v
        (bool done,) = address(batch).call(data);
        assertTrue(!done, "a number beyond its type was taken");
        assertEq(token.balanceOf(PAYEE), 0);
    }

    function test_settle_takesNoCoin() public {
        bytes memory data = abi.encodeCall(batch.settle, (token, ITEM_GAS, goodItems(1)));
        (bool done,) = address(batch).call{value: 1}(data);
        assertTrue(!done, "coin was taken with a batch");
        (done,) = address(batch).call{value: 1}("");
        assertTrue(!done, "coin was taken");
    }

    // -- tokens that do as they like -----------------------------------------------------------

    function test_token_refusalsAreReportedInTheirFirstBytes() public {
        assertEq(trickOutcome(TrickyToken.Trick.REVERT_SILENTLY), "");
        assertEq(trickOutcome(TrickyToken.Trick.BURN_ALL_GAS), "");
        assertEq(trickOutcome(TrickyToken.Trick.INVALID_OPCODE), "");
        assertEq(
            trickOutcome(TrickyToken.Trick.REVERT_WITH_A_WORD),
            abi.encodeWithSelector(TrickyToken.Refuse.selector, 7)
        );
        assertEq(trickOutcome(TrickyToken.Trick.REVERT_AT_LENGTH).length, batch.MAX_REASON());
    }

    function test_token_returningAtLengthIsAccepted() public {
        Item[] memory items = trickyItems(3, TrickyToken.Trick.ACCEPT);
        items[1].nonce = trickNonce(TrickyToken.Trick.RETURN_AT_LENGTH, 1);
        assertEq(batch.settle(IERC3009(address(tricky)), ITEM_GAS, items), 3);
    }

    function test_token_thatReentersGainsNothing() public {
        Item[] memory items = trickyItems(3, TrickyToken.Trick.REENTER);
        recorder.recordLogs();
        assertEq(batch.settle(IERC3009(address(tricky)), ITEM_GAS, items), 3);
        assertEq(recorder.getRecordedLogs().length, 6);
    }

    function test_token_withoutTheFunctionRefusesEveryItem() public {
        assertEq(batch.settle(IERC3009(address(this)), ITEM_GAS, goodItems(3)), 0);
    }

    // -- gas -----------------------------------------------------------------------------------

    /// @dev The worst that items can do, each within exactly the gas that the shares come to.
    function test_gas_sharesSufficeWhateverAllOthersDo() public {
        for (uint8 trick = 1; trick < 8; ++trick) {
            for (uint256 place = 0; place < 20; place += 19) {
                Item[] memory items = trickyItems(20, TrickyToken.Trick(trick));
                items[place].nonce = trickNonce(TrickyToken.Trick.ACCEPT, 99);
                recorder.recordLogs();
                uint256 settled = settleWith(sharesOf(20), address(tricky), items);
                bool accepts = TrickyToken.Trick(trick) == TrickyToken.Trick.RETURN_AT_LENGTH;
                assertEq(settled, accepts ? 20 : 1);
                (,, uint256 count) = outcomes(address(batch), recorder.getRecordedLogs());
                assertEq(count, 20);
            }
        }
    }

    /// @dev A transfer needs its share to the unit; the others burn theirs and all there is beside.
    function test_gas_burnersLeaveARealTransferItsShare() public {
        BurningToken burning = new BurningToken(ITEM_GAS - 1_000);
        Item[] memory items = new Item[](30);
        for (uint256 i = 0; i < 30; ++i) {
            items[i].nonce = bytes32(i % 3); // two burners, then one that needs its share
        }
        assertEq(settleWith(sharesOf(30), address(burning), items), 10);
        assertEq(settleWith(sharesOf(30) + 9 * ITEM_GAS, address(burning), items), 10);
    }

    function test_gas_aFirstTransferMayUseMoreThanAShare() public {
        BurningToken burning = new BurningToken(2 * ITEM_GAS - 2_000);
        Item[] memory items = new Item[](5);
        items[0].nonce = bytes32(uint256(2));
        assertEq(settleWith(sharesOf(5) + ITEM_GAS + 2_000, address(burning), items), 1);
    }

    function test_gas_eachBurnerTakesOneShareMoreAtMost() public {
        BurningToken burning = new BurningToken(2 * ITEM_GAS - 2_000);
        Item[] memory items = new Item[](6);
        items[3].nonce = bytes32(uint256(2)); // after three burners, one that needs two shares
        uint256 gas = sharesOf(6) + 4 * ITEM_GAS + 2_000;
        assertEq(settleWith(gas, address(burning), items), 1);
        assertEq(settleWith(gas - ITEM_GAS, address(burning), items), 0);
    }

    function test_gas_withoutGasBesideTheSharesItMayNot() public {
        BurningToken burning = new BurningToken(2 * ITEM_GAS - 2_000);
        Item[] memory items = new Item[](5);
        items[0].nonce = bytes32(uint256(2));
        assertEq(settleWith(sharesOf(5), address(burning), items), 0);
    }

    function test_gas_tooLittleLeavesTheRestAlone() public {
        Item[] memory items = trickyItems(20, TrickyToken.Trick.BURN_ALL_GAS);
        recorder.recordLogs();
        assertEq(settleWith(sharesOf(10), address(tricky), items), 0);
        Recorder.Log[] memory logs = recorder.getRecordedLogs();
        Recorder.Log memory end = logs[logs.length - 1];
        assertEq(end.topics[0], BatchSettler.Stopped.selector);
        assertEq(end.topics[1], bytes32(uint256(uint160(address(tricky)))));
        assertEq(abi.decode(end.data, (uint256)), logs.length - 1);
        assertTrue(logs.length > 9 && logs.length < 14, "not stopped in the middle");
    }

    function test_gas_whatSettledBeforeTheGasEndedStaysSettled() public {
        Item[] memory items = goodItems(PAYERS);
        token.mint(PAYEE, 1);
        uint256 settled = settleWith(sharesOf(PAYERS) / 2, address(token), items);
        assertTrue(settled > 10 && settled < PAYERS, "not stopped in the middle");
        assertEq(token.balanceOf(PAYEE), settled * PRICE + 1);
    }

    function test_gas_aSenderWhoSavesGasRefusesNothing() public {
        Item[] memory items = goodItems(8);
        for (uint256 gas = 45_000; gas < 400_000; gas += 7_001) {
            recorder.recordLogs();
            settleWith(gas, address(token), items);
            (, bool[] memory settled, uint256 count) =
                outcomes(address(batch), recorder.getRecordedLogs());
            // The first transfer to a payee takes more than a share, so only it can be refused.
            for (uint256 i = 1; i < count; ++i) {
                assertTrue(settled[i] || !settled[0], "refused for want of gas");
            }
        }
    }

    function test_gas_aShareIsGivenWholeOrNotAtAll() public {
        uint32 itemGas = 2_000_000;
        BurningToken burning = new BurningToken(itemGas - 1_000);
        Item[] memory items = new Item[](1);
        items[0].nonce = bytes32(uint256(2));
        uint256 tried;
        for (uint256 gas = itemGas; gas < itemGas + 60_000; gas += 4_000) {
            recorder.recordLogs();
            batch.settle{gas: gas}(IERC3009(address(burning)), itemGas, items);
            (, bool[] memory settled, uint256 count) =
                outcomes(address(batch), recorder.getRecordedLogs());
            assertTrue(count == 0 || settled[0], "refused for want of gas");
            tried += count;
        }
        assertTrue(tried > 0 && tried < 15, "the gas is never or always enough");
    }

    // -- fuzz ----------------------------------------------------------------------------------

    function testFuzz_settle_settlesExactlyTheValidItems(uint256 seed, uint256 size) public {
        size = bound(size, 1, PAYERS);
        Item[] memory items = new Item[](size);
        bool[] memory valid = new bool[](size);
        uint256 expected;
        for (uint256 i = 0; i < size; ++i) {
            uint256 kind = uint8(uint256(keccak256(abi.encode(seed, i)))) % 8;
            (items[i], valid[i]) = itemOfKind(i, kind);
            if (valid[i]) ++expected;
        }
        Recorder.Log[] memory logs = settleAll(items, expected);
        (bytes32[] memory nonces, bool[] memory settled, uint256 count) =
            outcomes(address(batch), logs);
        assertEq(count, size);
        for (uint256 i = 0; i < size; ++i) {
            assertEq(nonces[i], items[i].nonce);
            assertTrue(settled[i] == valid[i], "another outcome than the item deserves");
            assertEq(paid(address(token), items[i].nonce, logs), valid[i] ? 1 : 0);
        }
        assertEq(token.balanceOf(PAYEE), expected * PRICE);
        assertEq(token.balanceOf(address(batch)), 0);
    }

    function testFuzz_settle_neverTakesABatchDown(uint8[12] memory tricks, uint32 itemGas) public {
        itemGas = uint32(bound(itemGas, 25_000, 200_000));
        Item[] memory items = new Item[](12);
        for (uint256 i = 0; i < 12; ++i) {
            items[i].nonce = trickNonce(TrickyToken.Trick(tricks[i] % 8), i);
        }
        recorder.recordLogs();
        batch.settle{gas: 12 * (uint256(itemGas) + batch.ITEM_OVERHEAD()) + 15_000}(
            IERC3009(address(tricky)), itemGas, items
        );
        (,, uint256 count) = outcomes(address(batch), recorder.getRecordedLogs());
        assertEq(count, 12);
    }

    // -- steps ---------------------------------------------------------------------------------

    /// @dev How many settle when the call brings exactly this gas.
    function settleWith(uint256 gas, address money, Item[] memory items) private returns (uint256) {
        bytes memory data = abi.encodeCall(batch.settle, (IERC3009(money), ITEM_GAS, items));
        (bool done, bytes memory answer) = address(batch).call{gas: gas}(data);
        return done ? abi.decode(answer, (uint256)) : 0;
    }

    /// @dev The shares of the items, and what comes before the first of them.
    function sharesOf(uint256 items) private view returns (uint256) {
        return items * (ITEM_GAS + batch.ITEM_OVERHEAD()) + ITEM_GAS / 63 + 5_000;
    }

    function settleAll(Item[] memory items, uint256 expected)
        private
        returns (Recorder.Log[] memory)
    {
        recorder.recordLogs();
        assertEq(batch.settle(token, ITEM_GAS, items), expected);
        return recorder.getRecordedLogs();
    }

    function refusesOnly(Item memory bad, bytes memory reason) private {
        uint256 before = token.balanceOf(PAYEE);
        Item[] memory items = goodItems(PAYERS);
        items[BAD] = bad;
        Recorder.Log[] memory logs = settleAll(items, PAYERS - 1);
        assertEq(token.balanceOf(PAYEE), before + (PAYERS - 1) * PRICE);
        assertEq(token.balanceOf(address(batch)), 0);
        (, bool[] memory settled, uint256 count) = outcomes(address(batch), logs);
        assertEq(count, PAYERS);
        for (uint256 i = 0; i < PAYERS; ++i) {
            assertTrue(settled[i] == (i != BAD), "another outcome than the item deserves");
        }
        assertEq(refusal(logs, BAD), reason);
    }

    /// @dev The reason of the outcome with this number.
    function refusal(Recorder.Log[] memory logs, uint256 number)
        private
        view
        returns (bytes memory)
    {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != address(batch)) continue;
            if (number == 0) {
                assertEq(logs[i].topics[0], BatchSettler.Refused.selector);
                return abi.decode(logs[i].data, (bytes));
            }
            --number;
        }
        revert NotTrue("there is such an outcome");
    }

    function trickOutcome(TrickyToken.Trick trick) private returns (bytes memory) {
        Item[] memory items = trickyItems(5, TrickyToken.Trick.ACCEPT);
        items[2].nonce = trickNonce(trick, 2);
        recorder.recordLogs();
        assertEq(batch.settle(IERC3009(address(tricky)), ITEM_GAS, items), 4);
        return refusal(recorder.getRecordedLogs(), 2);
    }

    function itemOfKind(uint256 i, uint256 kind) private view returns (Item memory, bool valid) {
        Authorization memory a = good(i);
        if (kind == 1) a.validBefore = NOW;
        if (kind == 2) a.validAfter = NOW + 1;
        if (kind == 3) a.value = 2_000_000;
        if (kind == 4) a.to = address(batch);
        Item memory item = signed(token, kind == 5 ? 0xBAD : keyAt(i), a);
        if (kind == 6) item.value += 1;
        return (item, kind == 0 || kind > 6);
    }

    function goodItems(uint256 size) private view returns (Item[] memory items) {
        items = new Item[](size);
        for (uint256 i = 0; i < size; ++i) {
            items[i] = signed(token, keyAt(i), good(i));
        }
    }

    function trickyItems(uint256 size, TrickyToken.Trick trick)
        private
        pure
        returns (Item[] memory items)
    {
        items = new Item[](size);
        for (uint256 i = 0; i < size; ++i) {
            items[i].nonce = trickNonce(trick, i);
        }
    }

    function trickNonce(TrickyToken.Trick trick, uint256 i) private pure returns (bytes32) {
        return bytes32(uint256(trick) << 248 | i);
    }

    function good(uint256 i) private pure returns (Authorization memory) {
        return Authorization(
            payerAt(i), PAYEE, PRICE, NOW - 60, NOW + 60, keccak256(abi.encode("order", i))
        );
    }

    function badTime(Authorization memory a) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            ERC3009.ERC3009InvalidAuthorizationTime.selector, a.validAfter, a.validBefore
        );
    }

    function keyAt(uint256 i) private pure returns (uint256) {
        return 0xA11CE + i;
    }

    function payerAt(uint256 i) private pure returns (address) {
        return vm.addr(keyAt(i));
    }

    function assertEq(bytes memory actual, bytes memory expected) private pure {
        assertEq(keccak256(actual), keccak256(expected));
    }
}

/// @dev Burns everything for most nonces; for nonce 2 it needs a certain amount and is content.
contract BurningToken {
    uint256 private immutable need;

    constructor(uint256 need_) {
        need = need_;
    }

    function transferWithAuthorization(
        address,
        address,
        uint256,
        uint256,
        uint256,
        bytes32 nonce,
        uint8,
        bytes32,
        bytes32
    ) external view {
        uint256 start = gasleft();
        if (nonce == bytes32(uint256(2))) {
            while (start - gasleft() + 600 < need) {}
        } else {
            while (true) {}
        }
    }
}
