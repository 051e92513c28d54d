// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KoalaBear} from "./KoalaBear.sol";
import {Lanes, LazySums} from "./LazySums.sol";
import {MerklePaths} from "./MerklePaths.sol";
import {Mask, OpeningShape, VectorShape} from "./OpeningShape.sol";
import {ProofReader, Reader} from "./ProofReader.sol";
import {Quintic} from "./Quintic.sol";

/// @dev What the values of leaves of the first codes are made with: the trees' roots, what each column of each
/// vector weighs in the fold, the challenge of the pad and the tail of what is folded.
struct Folded {
    bytes32[] roots;
    Lanes[] columns;
    uint256 gamma;
    Lanes tail;
}

/// @dev Leaves that are opened: in what order they are in their tree, and their points.
struct Opened {
    uint256[] order;
    uint256[] xs;
}

/// @dev Of each leaf of the first codes: R's value, and the sum over all columns in both kinds of words.
struct Sums {
    uint256[] pads;
    uint256[] highs;
    uint256[] lows;
}

/// @title Opened leaves of codes: that they lead to their roots, and what value each stands for.
/// @dev Source: specs/hiding-opening.md, sections 4, 5 and 7. A leaf is hashed as it lies in the proof.
library OpenedLeaves {
    using ProofReader for Reader;

    /// @dev Opened leaves do not lead to the root of their tree.
    error LeavesOfAnotherTree();

    /// @dev Elements of a leaf of the fresh vector that are coefficients of R.
    uint256 private constant PAD = 5;

    /// @return values Those of leaves of the first codes, whose openings are read tree by tree.
    function first(
        Reader memory reader,
        OpeningShape memory shape,
        Folded memory folded,
        Opened memory opened
    ) internal pure returns (uint256[] memory values) {
        Sums memory sums;
        sums.pads = new uint256[](opened.xs.length);
        sums.highs = new uint256[](opened.xs.length);
        sums.lows = new uint256[](opened.xs.length);
        for (uint256 i = 0; i < shape.vectors.length; ++i) {
            _tree(reader, shape, folded, i, opened.order, sums);
        }
        values = sums.pads;
        for (uint256 j = 0; j < values.length; ++j) {
            uint256 x = opened.xs[j];
            uint256 fold = LazySums.reduced(sums.highs[j], sums.lows[j]);
            fold = Quintic.mul(folded.gamma, fold);
            uint256 tail = LazySums.evaluate(folded.tail, x);
            tail = Quintic.mulBase(tail, KoalaBear.squared(x, shape.rows));
            values[j] = Quintic.sub(Quintic.add(values[j], fold), tail);
        }
    }

    /// @dev Reads the leaves of one of the first trees and adds what they are to the sums.
    function _tree(
        Reader memory reader,
        OpeningShape memory shape,
        Folded memory folded,
        uint256 index,
        uint256[] memory order,
        Sums memory sums
    ) private pure {
        VectorShape memory vector = shape.vectors[index];
        bool fresh = vector.mask == Mask.Block;
        uint256 length = (1 << vector.fold) + (fresh ? PAD : 0) + vector.salts;
        bytes32[] memory digests = new bytes32[](order.length);
        for (uint256 j = 0; j < order.length; ++j) {
            uint256 offset = reader.take(4 * length);
            digests[j] = _digest(offset, 4 * length);
            // R's coefficients are the bytes of an element.
            if (fresh) {
                sums.pads[j] = Quintic.decode(ProofReader.word(offset + (4 << vector.fold)));
            }
            (uint256 high, uint256 low) = LazySums.dot(folded.columns[index], offset, length);
            sums.highs[j] += high;
            sums.lows[j] += low;
        }
        _check(reader, shape.rows + shape.rate, folded.roots[index], order, digests);
    }

    /// @return values Those of leaves of a later code: Σ eq(fold, c) * element c.
    function later(
        Reader memory reader,
        bytes32 root,
        uint256 depth,
        uint256[] memory fold,
        uint256[] memory order
    ) internal pure returns (uint256[] memory values) {
        uint256 length = 5 << fold.length;
        Lanes memory weights = LazySums.byCoefficients(Quintic.equality(fold, Quintic.ONE));
        values = new uint256[](order.length);
        bytes32[] memory digests = new bytes32[](order.length);
        for (uint256 j = 0; j < order.length; ++j) {
            uint256 offset = reader.take(4 * length);
            digests[j] = _digest(offset, 4 * length);
            (uint256 high, uint256 low) = LazySums.dot(weights, offset, length);
            values[j] = LazySums.reduced(high, low);
        }
        _check(reader, depth, root, order, digests);
    }

    /// @dev Reads the siblings of leaves, and checks that both lead to the root.
    function _check(
        Reader memory reader,
        uint256 depth,
        bytes32 root,
        uint256[] memory order,
        bytes32[] memory digests
    ) private pure {
        uint256 count = reader.le32();
        uint256 offset = reader.take(32 * count);
        bytes32[] calldata siblings;
        assembly ("memory-safe") {
            siblings.offset := offset
            siblings.length := count
        }
        if (MerklePaths.rootOf(depth, order, digests, siblings) != root) {
            revert LeavesOfAnotherTree();
        }
    }

    function _digest(uint256 offset, uint256 length) private pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            calldatacopy(at, offset, length)
            digest := keccak256(at, length)
        }
    }
}
