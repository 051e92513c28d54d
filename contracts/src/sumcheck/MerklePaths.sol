// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Opened leaves of a hash tree, whose paths share what they can.
/// @dev A node is keccak256(left child ‖ right child). The digests that lead from opened leaves to the root
/// and do not follow from them come level by level from the leaves up, from left to right. Source:
/// specs/sumcheck-proof.md, section 8.
library MerklePaths {
    /// @dev No leaf is opened.
    error NoLeaves();

    /// @dev There is not one digest for each index.
    error LengthsDiffer(uint256 indices, uint256 digests);

    /// @dev The tree has no such leaf, or has more than 2^64 of them.
    error LeafOutOfTree(uint256 leaf);

    /// @dev A leaf is opened with two contents.
    error LeafTwice(uint256 leaf);

    /// @dev There are fewer siblings than the paths need.
    error SiblingMissing();

    /// @dev There are more of them.
    error SiblingsLeftOver(uint256 count);

    /// @notice The root of a tree of `depth` levels above its leaves in which the leaves of these indices, in
    /// any order, have these digests. Equal indices must have equal digests.
    /// @dev Both arrays are used up.
    function root(
        uint256 depth,
        uint256[] memory indices,
        bytes32[] memory digests,
        bytes32[] calldata siblings
    ) internal pure returns (bytes32) {
        uint256 count = _sort(depth, indices, digests);
        uint256 used = 0;
        for (uint256 level = 0; level < depth; ++level) {
            (count, used) = _climb(count, used, indices, digests, siblings);
        }
        if (used != siblings.length) revert SiblingsLeftOver(siblings.length - used);
        return digests[0];
    }

    /// @dev Puts the leaves in the order of their indices, each once, and gives their number.
    function _sort(uint256 depth, uint256[] memory indices, bytes32[] memory digests)
        private
        pure
        returns (uint256 count)
    {
        if (indices.length == 0) revert NoLeaves();
        if (indices.length != digests.length) revert LengthsDiffer(indices.length, digests.length);
        // By insertion: there are some dozens, and sorting words of index and place moves no digest.
        uint256[] memory order = new uint256[](indices.length);
        for (uint256 i = 0; i < indices.length; ++i) {
            uint256 leaf = indices[i];
            if (depth > 64 || leaf >> depth != 0) revert LeafOutOfTree(leaf);
            assembly ("memory-safe") {
                let word := or(shl(64, leaf), i)
                let at := add(add(order, 32), shl(5, i))
                for {} gt(at, add(order, 32)) {} {
                    let before := mload(sub(at, 32))
                    if lt(before, word) { break }
                    mstore(at, before)
                    at := sub(at, 32)
                }
                mstore(at, word)
            }
        }
        bytes32[] memory sorted = new bytes32[](indices.length);
        for (uint256 i = 0; i < order.length; ++i) {
            uint256 leaf = order[i] >> 64;
            bytes32 digest = digests[uint64(order[i])];
            if (count > 0 && indices[count - 1] == leaf) {
                if (sorted[count - 1] != digest) revert LeafTwice(leaf);
            } else {
                indices[count] = leaf;
                sorted[count] = digest;
                ++count;
            }
        }
        for (uint256 i = 0; i < count; ++i) {
            digests[i] = sorted[i];
        }
    }

    /// @dev Replaces `count` nodes by their parents, and gives their number and that of the siblings that are
    /// used by then. Parents are written where nodes are read already.
    function _climb(
        uint256 count,
        uint256 used,
        uint256[] memory indices,
        bytes32[] memory digests,
        bytes32[] calldata siblings
    ) private pure returns (uint256 parents, uint256) {
        assembly ("memory-safe") {
            indices := add(indices, 32)
            digests := add(digests, 32)
            count := shl(5, count)
            for { let at := 0 } lt(at, count) { at := add(at, 32) } {
                let node := mload(add(indices, at))
                // A node with a 0 at its end is the left child.
                let side := shl(5, and(node, 1))
                mstore(side, mload(add(digests, at)))
                let next := add(at, 32)
                switch and(
                    iszero(side),
                    and(lt(next, count), eq(mload(add(indices, next)), add(node, 1)))
                )
                case 1 {
                    mstore(32, mload(add(digests, next)))
                    at := next
                }
                default {
                    if iszero(lt(used, siblings.length)) {
                        used := not(0)
                        break
                    }
                    mstore(xor(side, 32), calldataload(add(siblings.offset, shl(5, used))))
                    used := add(used, 1)
                }
                mstore(add(indices, parents), shr(1, node))
                mstore(add(digests, parents), keccak256(0, 64))
                parents := add(parents, 32)
            }
            parents := shr(5, parents)
        }
        if (used == type(uint256).max) revert SiblingMissing();
        return (parents, used);
    }
}
