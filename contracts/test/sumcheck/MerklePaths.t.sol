// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerklePaths} from "../../src/sumcheck/MerklePaths.sol";
import {Vectors} from "./Vectors.sol";

/// @dev The library from outside.
contract MerkleCalls {
    function root(
        uint256 depth,
        uint256[] memory indices,
        bytes32[] memory digests,
        bytes32[] calldata siblings
    ) external pure returns (bytes32) {
        return MerklePaths.root(depth, indices, digests, siblings);
    }
}

contract MerklePathsTest is Vectors {
    struct Case {
        uint256 depth;
        uint256[] indices;
        bytes32[] leaves;
        bytes32[] siblings;
        bytes32 root;
    }

    event Gas(uint256 siblings, uint256 used);

    uint256 private constant CASES = 6;
    MerkleCalls private calls;

    function setUp() public {
        calls = new MerkleCalls();
    }

    function test_OpenedLeavesLeadToTheRoot() public view {
        for (uint256 i = 0; i < CASES; ++i) {
            Case memory c = _case(i);
            assertEq(calls.root(c.depth, c.indices, c.leaves, c.siblings), c.root);
        }
    }

    function test_GasOfDozensOfPaths() public {
        Case memory c = _case(5);
        uint256 start = gasleft();
        calls.root(c.depth, c.indices, c.leaves, c.siblings);
        uint256 used = start - gasleft();
        emit Gas(c.siblings.length, used);
        assertTrue(used < 257_000, "a bound above docs/measurements.md");
    }

    function test_OtherDigestsLeadElsewhere() public view {
        for (uint256 i = 0; i < CASES; ++i) {
            Case memory c = _case(i);
            for (uint256 j = 0; j < c.siblings.length; ++j) {
                c.siblings[j] ^= bytes32(uint256(1));
                assertTrue(_root(c) != c.root, "a sibling is bound");
                c.siblings[j] ^= bytes32(uint256(1));
            }
        }
        // Without the one that is opened twice.
        Case memory all = _case(4);
        for (uint256 j = 0; j < all.leaves.length; ++j) {
            all.leaves[j] ^= bytes32(uint256(1));
            assertTrue(_root(all) != all.root, "a leaf is bound");
            all.leaves[j] ^= bytes32(uint256(1));
        }
        assertEq(_root(all), all.root);
    }

    function test_LeavesAtOtherPlacesLeadElsewhere() public view {
        Case memory c = _case(3);
        // Leaves 31 and 0, exchanged.
        (c.indices[0], c.indices[1]) = (c.indices[1], c.indices[0]);
        assertTrue(_root(c) != c.root, "the place of a leaf is bound");
        // Both exchanged, it is the same opening in another order.
        (c.leaves[0], c.leaves[1]) = (c.leaves[1], c.leaves[0]);
        assertEq(_root(c), c.root);
    }

    function test_SiblingsAreNeitherMissingNorLeftOver() public {
        Case memory c = _case(5);
        bytes32[] memory siblings = c.siblings;
        c.siblings = new bytes32[](siblings.length - 1);
        for (uint256 i = 0; i < c.siblings.length; ++i) {
            c.siblings[i] = siblings[i];
        }
        vm.expectRevert(abi.encodeWithSelector(MerklePaths.SiblingMissing.selector));
        calls.root(c.depth, c.indices, c.leaves, c.siblings);
        c.siblings = new bytes32[](siblings.length + 1);
        for (uint256 i = 0; i < siblings.length; ++i) {
            c.siblings[i] = siblings[i];
        }
        vm.expectRevert(abi.encodeWithSelector(MerklePaths.SiblingsLeftOver.selector, 1));
        calls.root(c.depth, c.indices, c.leaves, c.siblings);
    }

    function test_WhatIsNoOpeningIsRefusedByName() public {
        Case memory c = _case(2);
        // Leaf 3 is opened twice, here with two contents.
        c.leaves[1] ^= bytes32(uint256(1));
        vm.expectRevert(abi.encodeWithSelector(MerklePaths.LeafTwice.selector, 3));
        calls.root(c.depth, c.indices, c.leaves, c.siblings);
        c = _case(2);
        c.indices[3] = 16;
        vm.expectRevert(abi.encodeWithSelector(MerklePaths.LeafOutOfTree.selector, 16));
        calls.root(c.depth, c.indices, c.leaves, c.siblings);
        vm.expectRevert(abi.encodeWithSelector(MerklePaths.LeafOutOfTree.selector, 3));
        calls.root(65, c.indices, c.leaves, c.siblings);
        vm.expectRevert(abi.encodeWithSelector(MerklePaths.LengthsDiffer.selector, 5, 0));
        calls.root(4, c.indices, new bytes32[](0), c.siblings);
        vm.expectRevert(abi.encodeWithSelector(MerklePaths.NoLeaves.selector));
        calls.root(4, new uint256[](0), new bytes32[](0), c.siblings);
    }

    function _root(Case memory c) private view returns (bytes32) {
        return calls.root(c.depth, c.indices, c.leaves, c.siblings);
    }

    function _case(uint256 number) private view returns (Case memory c) {
        string memory json = read("merkle");
        bytes1 digit = bytes1(uint8(48 + number));
        string memory place = string.concat(".cases[", string(abi.encodePacked(digit)), "]");
        c.depth = files.parseJsonUint(json, string.concat(place, ".depth"));
        c.indices = files.parseJsonUintArray(json, string.concat(place, ".indices"));
        c.leaves = _words(files.parseJsonBytes(json, string.concat(place, ".leaves")));
        c.siblings = _words(files.parseJsonBytes(json, string.concat(place, ".siblings")));
        c.root = files.parseJsonBytes32(json, string.concat(place, ".root"));
    }

    function _words(bytes memory data) private pure returns (bytes32[] memory words) {
        words = new bytes32[](data.length / 32);
        for (uint256 i = 0; i < words.length; ++i) {
            assembly ("memory-safe") {
                mstore(add(add(words, 32), shl(5, i)), mload(add(add(data, 32), shl(5, i))))
            }
        }
    }
}
