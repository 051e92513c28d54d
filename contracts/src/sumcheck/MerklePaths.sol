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
    function root(
        uint256 depth,
        uint256[] memory indices,
        bytes32[] memory digests,
        bytes32[] calldata siblings
    ) internal pure returns (bytes32) {
        if (indices.length != digests.length) {
            revert LengthsDiffer(indices.length, digests.length);
        }
        return rootOf(depth, ordered(depth, indices), digests, siblings);
    }

    /// @notice The same of indices whose order is known.
    /// @param order What `ordered` gives for this depth; no depth is larger than it was there.
    function rootOf(
        uint256 depth,
        uint256[] memory order,
        bytes32[] memory digests,
        bytes32[] calldata siblings
    ) internal pure returns (bytes32) {
        assert(order.length == digests.length);
        (uint256[] memory nodes, uint256[] memory hashes, uint256 count) = _leaves(order, digests);
        return _climb(depth, count, nodes, hashes, siblings);
    }

    /// @return order Indices of a tree's leaves from left to right, each a word of index and place.
    function ordered(uint256 depth, uint256[] memory indices)
        internal
        pure
        returns (uint256[] memory order)
    {
        if (indices.length == 0) revert NoLeaves();
        // By insertion: there are some dozens, and sorting words of index and place moves no digest.
        order = new uint256[](indices.length);
        uint256 first;
        assembly ("memory-safe") {
            first := add(order, 32)
        }
        for (uint256 i = 0; i < indices.length; ++i) {
            uint256 leaf = indices[i];
            if (depth > 64 || leaf >> depth != 0) revert LeafOutOfTree(leaf);
            assembly ("memory-safe") {
                let word := or(shl(64, leaf), i)
                let at := add(first, shl(5, i))
                for {} gt(at, first) {} {
                    let before := mload(sub(at, 32))
                    if lt(before, word) { break }
                    mstore(at, before)
                    at := sub(at, 32)
                }
                mstore(at, word)
            }
        }
    }

    /// @return nodes The leaves' indices, each once, and behind them a word that is none.
    /// @return hashes Their digests.
    /// @return count How many they are.
    function _leaves(uint256[] memory order, bytes32[] memory digests)
        private
        pure
        returns (uint256[] memory nodes, uint256[] memory hashes, uint256 count)
    {
        nodes = new uint256[](order.length + 1);
        hashes = new uint256[](order.length);
        uint256 twice = type(uint256).max;
        assembly ("memory-safe") {
            let node := add(nodes, 32)
            let to := add(hashes, 32)
            let last := not(0)
            let end := add(order, shl(5, mload(order)))
            for { let at := order } lt(at, end) {} {
                at := add(at, 32)
                let leaf := shr(64, mload(at))
                let digest :=
                    mload(add(add(digests, 32), shl(5, and(mload(at), 0xffffffffffffffff))))
                if eq(leaf, last) {
                    if iszero(eq(mload(sub(to, 32)), digest)) { twice := leaf }
                    continue
                }
                mstore(node, leaf)
                mstore(to, digest)
                node := add(node, 32)
                to := add(to, 32)
                last := leaf
            }
            mstore(node, not(0))
            count := shr(5, sub(sub(node, 32), nodes))
        }
        if (twice != type(uint256).max) revert LeafTwice(twice);
    }

    /// @dev Replaces nodes by their parents, level by level. Parents are written where nodes are read already,
    /// and a word that is no node stays behind them.
    function _climb(
        uint256 depth,
        uint256 count,
        uint256[] memory nodes,
        uint256[] memory hashes,
        bytes32[] calldata siblings
    ) private pure returns (bytes32 top) {
        // Siblings are counted when all are used, since their number follows from the leaves alone.
        uint256 used;
        assembly ("memory-safe") {
            nodes := add(nodes, 32)
            let apart := sub(add(hashes, 32), nodes)
            let sibling := siblings.offset
            let end := add(nodes, shl(5, count))
            for {} depth { depth := sub(depth, 1) } {
                let to := nodes
                for { let at := nodes } lt(at, end) { at := add(at, 32) } {
                    let node := mload(at)
                    let digest := mload(add(at, apart))
                    // A node with a 0 at its end is the left child.
                    switch and(node, 1)
                    case 0 {
                        mstore(0, digest)
                        switch eq(mload(add(at, 32)), add(node, 1))
                        case 0 {
                            mstore(32, calldataload(sibling))
                            sibling := add(sibling, 32)
                        }
                        default {
                            at := add(at, 32)
                            mstore(32, mload(add(at, apart)))
                        }
                    }
                    default {
                        mstore(0, calldataload(sibling))
                        mstore(32, digest)
                        sibling := add(sibling, 32)
                    }
                    mstore(to, shr(1, node))
                    mstore(add(to, apart), keccak256(0, 64))
                    to := add(to, 32)
                }
                mstore(to, not(0))
                end := to
            }
            used := shr(5, sub(sibling, siblings.offset))
            top := mload(add(nodes, apart))
        }
        if (used > siblings.length) revert SiblingMissing();
        if (used < siblings.length) revert SiblingsLeftOver(siblings.length - used);
    }
}
