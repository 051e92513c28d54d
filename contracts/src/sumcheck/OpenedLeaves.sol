// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KOALA_BEAR_MODULUS, KoalaBear} from "./KoalaBear.sol";
import {MerklePaths} from "./MerklePaths.sol";
import {Mask, OpeningShape, VectorShape} from "./OpeningShape.sol";
import {ProofReader, Reader} from "./ProofReader.sol";
import {Quintic} from "./Quintic.sol";

/// @dev What the values of leaves of the first codes are made with: the trees' roots, what each column of each
/// vector weighs in the fold (as words of three lanes and of two lanes of 85 bits), the challenge of the pad and
/// the tail of what is folded.
struct Folded {
    bytes32[] roots;
    uint256[][] high;
    uint256[][] low;
    uint256 gamma;
    uint256[] tail;
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

    uint256 private constant P = KOALA_BEAR_MODULUS;
    uint256 private constant LANE_85 = (1 << 85) - 1;
    /// @dev Elements of a leaf of the fresh vector that are coefficients of R.
    uint256 private constant PAD = 5;

    /// @return high The first three coefficients, c0 in the highest of three lanes of 85 bits.
    /// @return low The others, c4 in the lowest. Words of this form can be multiplied by elements of the base
    /// field and 2^23 of them summed up before anything is reduced.
    function split(uint256[] memory xs)
        internal
        pure
        returns (uint256[] memory high, uint256[] memory low)
    {
        high = new uint256[](xs.length);
        low = new uint256[](xs.length);
        for (uint256 i = 0; i < xs.length; ++i) {
            uint256 x = xs[i];
            high[i] = x >> 128 << 170 | (x >> 96 & 0xffffffff) << 85 | x >> 64 & 0xffffffff;
            low[i] = (x >> 32 & 0xffffffff) << 85 | x & 0xffffffff;
        }
    }

    /// @return values Those of leaves of the first codes, whose openings are read tree by tree.
    function first(
        Reader memory reader,
        OpeningShape memory shape,
        Folded memory folded,
        uint256[] memory indices
    ) internal pure returns (uint256[] memory values) {
        Sums memory sums;
        sums.pads = new uint256[](indices.length);
        sums.highs = new uint256[](indices.length);
        sums.lows = new uint256[](indices.length);
        for (uint256 i = 0; i < shape.vectors.length; ++i) {
            _tree(reader, shape, folded, i, indices, sums);
        }
        values = sums.pads;
        uint256 generator = KoalaBear.twoAdicGenerator(shape.rows + shape.rate);
        for (uint256 j = 0; j < indices.length; ++j) {
            uint256 x = KoalaBear.power(generator, indices[j]);
            uint256 fold = Quintic.mul(folded.gamma, _reduced(sums.highs[j], sums.lows[j]));
            uint256 tail = Quintic.evaluateAtBase(folded.tail, x);
            tail = Quintic.mulBase(tail, KoalaBear.power(x, 1 << shape.rows));
            values[j] = Quintic.sub(Quintic.add(values[j], fold), tail);
        }
    }

    /// @dev Reads the leaves of one of the first trees and adds what they are to the sums.
    function _tree(
        Reader memory reader,
        OpeningShape memory shape,
        Folded memory folded,
        uint256 index,
        uint256[] memory indices,
        Sums memory sums
    ) private pure {
        VectorShape memory vector = shape.vectors[index];
        bool fresh = vector.mask == Mask.Block;
        uint256[] memory row = new uint256[]((1 << vector.fold) + (fresh ? PAD : 0) + vector.salts);
        bytes32[] memory digests = new bytes32[](indices.length);
        for (uint256 j = 0; j < indices.length; ++j) {
            uint256 offset = reader.take(4 * row.length);
            digests[j] = _digest(offset, 4 * row.length);
            ProofReader.bases(offset, row);
            // R's coefficients are the bytes of an element.
            if (fresh) {
                sums.pads[j] = Quintic.decode(ProofReader.word(offset + (4 << vector.fold)));
            }
            _accumulate(row, folded.high[index], folded.low[index], sums.highs, sums.lows, j);
        }
        _check(reader, shape.rows + shape.rate, folded.roots[index], indices, digests);
    }

    /// @return values Those of leaves of a later code: Σ eq(fold, c) * element c.
    function later(
        Reader memory reader,
        bytes32 root,
        uint256 depth,
        uint256[] memory fold,
        uint256[] memory indices
    ) internal pure returns (uint256[] memory values) {
        uint256[] memory weights = Quintic.equality(fold);
        values = new uint256[](indices.length);
        bytes32[] memory digests = new bytes32[](indices.length);
        for (uint256 j = 0; j < indices.length; ++j) {
            uint256 offset = reader.take(20 * weights.length);
            digests[j] = _digest(offset, 20 * weights.length);
            uint256 value = 0;
            for (uint256 c = 0; c < weights.length; ++c) {
                uint256 x = Quintic.decode(ProofReader.word(offset + 20 * c));
                value = Quintic.add(value, Quintic.mul(weights[c], x));
            }
            values[j] = value;
        }
        _check(reader, depth, root, indices, digests);
    }

    /// @dev Reads the siblings of leaves, and checks that both lead to the root.
    function _check(
        Reader memory reader,
        uint256 depth,
        bytes32 root,
        uint256[] memory indices,
        bytes32[] memory digests
    ) private pure {
        uint256 count = reader.le32();
        uint256 offset = reader.take(32 * count);
        bytes32[] calldata siblings;
        assembly ("memory-safe") {
            siblings.offset := offset
            siblings.length := count
        }
        // The paths use up what they are given.
        uint256[] memory own = new uint256[](indices.length);
        for (uint256 i = 0; i < own.length; ++i) {
            own[i] = indices[i];
        }
        if (MerklePaths.root(depth, own, digests, siblings) != root) revert LeavesOfAnotherTree();
    }

    function _digest(uint256 offset, uint256 length) private pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            calldatacopy(at, offset, length)
            digest := keccak256(at, length)
        }
    }

    /// @dev Adds the sum of a row's first elements, times the weights, to sum j of both kinds of words.
    function _accumulate(
        uint256[] memory row,
        uint256[] memory high,
        uint256[] memory low,
        uint256[] memory highs,
        uint256[] memory lows,
        uint256 j
    ) private pure {
        assembly ("memory-safe") {
            let ofHigh := 0
            let ofLow := 0
            let end := shl(5, add(mload(high), 1))
            for { let c := 32 } lt(c, end) { c := add(c, 32) } {
                let x := mload(add(row, c))
                ofHigh := add(ofHigh, mul(x, mload(add(high, c))))
                ofLow := add(ofLow, mul(x, mload(add(low, c))))
            }
            j := shl(5, add(j, 1))
            highs := add(highs, j)
            lows := add(lows, j)
            mstore(highs, add(mload(highs), ofHigh))
            mstore(lows, add(mload(lows), ofLow))
        }
    }

    function _reduced(uint256 high, uint256 low) private pure returns (uint256 x) {
        x = (high >> 170) % P << 128 | (high >> 85 & LANE_85) % P << 96 | (high & LANE_85) % P << 64;
        return x | (low >> 85) % P << 32 | (low & LANE_85) % P;
    }
}
