// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Batches, Recorder} from "./Batches.sol";
import {DevnetUSD} from "../src/DevnetUSD.sol";
import {Authorization as Item, BatchSettler} from "../src/BatchSettler.sol";

/// @dev Sends batches of good, bad and repeated items with few nonces, with much and little gas,
/// and keeps its own account of who has paid.
contract Senders is Batches {
    uint256 private constant NONCES = 6;
    address public constant PAYEE = address(0xBEEF);

    DevnetUSD public immutable token;
    BatchSettler public immutable batch;
    uint256 public expected;
    mapping(address payer => mapping(bytes32 nonce => bool)) private hasPaid;

    constructor() {
        token = new DevnetUSD(address(this));
        batch = new BatchSettler();
        vm.warp(NOW);
    }

    function mint(uint256 who, uint256 value) external {
        token.mint(vm.addr(keyAt(who)), bound(value, 0, 1e9));
    }

    function settle(uint256 seed, uint256 size, uint256 gas) external {
        size = bound(size, 1, 12);
        Item[] memory items = new Item[](size);
        bool[] memory sound = new bool[](size);
        for (uint256 i = 0; i < size; ++i) {
            (items[i], sound[i]) = itemFrom(uint256(keccak256(abi.encode(seed, i))));
        }
        recorder.recordLogs();
        uint256 share = ITEM_GAS + batch.ITEM_OVERHEAD();
        // From too little for half of them to ample.
        uint256 settled =
            batch.settle{gas: bound(gas, 90_000, size * share + 200_000)}(token, ITEM_GAS, items);
        check(items, sound, settled, recorder.getRecordedLogs());
    }

    function check(
        Item[] memory items,
        bool[] memory sound,
        uint256 settled,
        Recorder.Log[] memory logs
    ) private {
        (bytes32[] memory nonces, bool[] memory accepted, uint256 count) =
            outcomes(address(batch), logs);
        uint256 seen;
        for (uint256 i = 0; i < count; ++i) {
            assertEq(nonces[i], items[i].nonce);
            if (!accepted[i]) continue;
            assertTrue(sound[i], "an unsound item settled");
            assertTrue(!hasPaid[items[i].payer][items[i].nonce], "a nonce paid twice");
            hasPaid[items[i].payer][items[i].nonce] = true;
            expected += items[i].value;
            ++seen;
        }
        assertEq(settled, seen);
    }

    function itemFrom(uint256 dice) private view returns (Item memory, bool sound) {
        uint256 kind = dice % 7;
        Authorization memory a = Authorization({
            from: vm.addr(keyAt(dice >> 8)),
            to: PAYEE,
            value: (dice >> 16) % 1e6,
            validAfter: 0,
            validBefore: kind == 1 ? NOW : type(uint256).max,
            nonce: bytes32((dice >> 64) % NONCES)
        });
        if (kind == 2) a.to = address(batch);
        uint256 signer = kind == 3 ? 0xBAD : keyAt(dice >> 8);
        return (signed(token, signer, a), kind == 0 || kind > 3);
    }

    function keyAt(uint256 index) private pure returns (uint256) {
        return 0xA11CE + index % 5;
    }
}

contract BatchSettlerInvariants is Batches {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Senders private senders;

    function setUp() public {
        senders = new Senders();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(senders);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](2);
        selectors[0] = Senders.mint.selector;
        selectors[1] = Senders.settle.selector;
        targets[0] = FuzzSelector(address(senders), selectors);
    }

    function invariant_theBatchHoldsNothing() external view {
        assertEq(senders.token().balanceOf(address(senders.batch())), 0);
        assertEq(address(senders.batch()).balance, 0);
    }

    function invariant_thePayeeHasExactlyWhatSettled() external view {
        assertEq(senders.token().balanceOf(senders.PAYEE()), senders.expected());
    }
}
