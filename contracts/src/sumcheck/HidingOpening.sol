// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KeccakTranscript} from "./KeccakTranscript.sol";
import {Folds, LaterCodes} from "./LaterCodes.sol";
import {Lanes, LazySums} from "./LazySums.sol";
import {LinearForms, Term} from "./LinearForms.sol";
import {Folded} from "./OpenedLeaves.sol";
import {Mask, OpeningShape, VectorShape} from "./OpeningShape.sol";
import {ProofReader, Reader} from "./ProofReader.sol";
import {Quintic} from "./Quintic.sol";

/// @dev That the sum of all terms, of the vectors under these roots, has this value.
struct Claim {
    bytes32[] roots;
    Term[] terms;
    uint256 value;
}

/// @dev What an opening comes to: `last` times what the claim's terms weigh at `point` must be `left`. The point
/// has the coordinates of the joint columns and then those of the rows.
struct Remainder {
    uint256[] point;
    uint256 last;
    uint256 left;
    uint256 state;
}

/// @dev Points that an opening draws for its masks and answers, and the powers by which they join the claim.
struct Drawn {
    uint256[][] masks;
    uint256[][] samples;
    uint256[] powers;
}

/// @title Verifies that committed vectors have a claimed sum. Source: specs/hiding-opening.md, section 5.
/// @dev The caller must have absorbed the roots before anything was drawn that a term depends on, and must take
/// the shape from a key and not from a proof.
library HidingOpening {
    using ProofReader for Reader;

    /// @dev There is not one root for each vector.
    error RootsMissing(uint256 count);

    /// @dev The claim does not hold for what was opened.
    error ClaimDoesNotHold();

    bytes32 private constant OPENING = keccak256("inferproof/sumcheck/1/opening");
    bytes32 private constant MASKS = keccak256("inferproof/sumcheck/1/opening/masks");
    bytes32 private constant SAMPLE = keccak256("inferproof/sumcheck/1/opening/sample");
    bytes32 private constant PAD = keccak256("inferproof/sumcheck/1/opening/pad");
    bytes32 private constant TAIL = keccak256("inferproof/sumcheck/1/opening/tail");
    /// @dev Coefficients of an element.
    uint256 private constant DEGREE = 5;

    /// @notice Reverts, and says why, unless the vectors under the claim's roots have the claimed sum.
    /// @return The transcript's state after the opening.
    function verify(
        OpeningShape memory shape,
        Claim memory claim,
        bytes calldata opening,
        uint256 state
    ) internal pure returns (uint256) {
        LinearForms.check(shape, claim.terms);
        Remainder memory rest = open(shape, claim.roots, claim.value, opening, state);
        uint256 weight = 0;
        uint256[] memory columns = LinearForms.part(rest.point, 0, shape.fold);
        uint256[] memory rows = LinearForms.part(rest.point, shape.fold, shape.rows);
        for (uint256 i = 0; i < shape.vectors.length; ++i) {
            VectorShape memory vector = shape.vectors[i];
            uint256 terms = _terms(vector, claim.terms, i, _own(vector, columns, rows));
            weight = Quintic.add(weight, Quintic.mul(_slot(vector, columns), terms));
        }
        if (!Quintic.same(Quintic.mul(rest.last, weight), rest.left)) revert ClaimDoesNotHold();
        return rest.state;
    }

    /// @notice Follows an opening of the vectors under these roots to what is left of its claim: whoever has
    /// the terms MUST check that. Reverts, and says why, where it does not follow.
    function open(
        OpeningShape memory shape,
        bytes32[] memory roots,
        uint256 value,
        bytes calldata opening,
        uint256 state
    ) internal pure returns (Remainder memory rest) {
        Quintic.check(value);
        if (roots.length != shape.vectors.length) revert RootsMissing(roots.length);
        state = KeccakTranscript.absorbMemory(
            state, OPENING, abi.encodePacked(roots, Quintic.encode(value))
        );
        Reader memory reader = ProofReader.open(opening, state);
        _open(reader, shape, roots, value, rest);
        reader.finish();
        rest.state = reader.state;
    }

    /// @dev What comes after roots and value are absorbed.
    function _open(
        Reader memory reader,
        OpeningShape memory shape,
        bytes32[] memory roots,
        uint256 value,
        Remainder memory rest
    ) private pure {
        (Drawn memory drawn, uint256 total) = _draw(reader, shape, value);
        uint256[] memory columns;
        (total, columns) = LaterCodes.follow(reader, total, shape.fold);
        Folds memory folds;
        (folds, rest.last) = _folds(reader, shape, roots, columns, total);
        rest.point = _joined(columns, folds.point);
        uint256 weight = LaterCodes.weightOfJoined(folds);
        for (uint256 i = 0; i < roots.length; ++i) {
            weight = Quintic.add(weight, _weight(shape, drawn, i, columns, folds.point));
        }
        rest.left = Quintic.sub(folds.claim, Quintic.mul(rest.last, weight));
    }

    /// @dev What comes after the first fold.
    function _folds(
        Reader memory reader,
        OpeningShape memory shape,
        bytes32[] memory roots,
        uint256[] memory columns,
        uint256 total
    ) private pure returns (Folds memory folds, uint256 last) {
        Folded memory folded = _folded(shape, roots, columns);
        uint256 pad = reader.absorbed(PAD, 1)[0];
        folded.gamma = reader.challenge();
        folded.tail = LazySums.spread(reader.absorbed(TAIL, shape.tails));
        total = Quintic.add(pad, Quintic.mul(folded.gamma, total));
        return LaterCodes.verify(reader, shape, folded, total);
    }

    /// @dev Draws the points of masks and answers, reads what is there and joins it to the claim.
    function _draw(Reader memory reader, OpeningShape memory shape, uint256 value)
        private
        pure
        returns (Drawn memory drawn, uint256 total)
    {
        uint256 each = shape.maskClaims;
        uint256 count = each * shape.vectors.length;
        drawn.masks = new uint256[][](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 variables = _maskVariables(shape, shape.vectors[i / each]);
            drawn.masks[i] = reader.point(variables);
        }
        uint256[] memory masks = reader.absorbed(MASKS, count);
        drawn.samples = new uint256[][](shape.samples);
        uint256[] memory answers = new uint256[](shape.samples);
        for (uint256 i = 0; i < shape.samples; ++i) {
            drawn.samples[i] = reader.point(shape.fold + shape.rows);
            answers[i] = reader.absorbed(SAMPLE, 1)[0];
        }
        uint256 batching = reader.challenge();
        drawn.powers = new uint256[](count + shape.samples);
        uint256 power = batching;
        total = value;
        for (uint256 i = 0; i < drawn.powers.length; ++i) {
            uint256 answer = i < count ? masks[i] : answers[i - count];
            total = Quintic.add(total, Quintic.mul(power, answer));
            drawn.powers[i] = power;
            power = Quintic.mul(power, batching);
        }
    }

    function _maskVariables(OpeningShape memory shape, VectorShape memory vector)
        private
        pure
        returns (uint256)
    {
        // That of the half is 1 in one coordinate.
        if (vector.mask == Mask.Half) return shape.rows + vector.fold - 1;
        return vector.columns[LinearForms.own(vector)].variables;
    }

    /// @dev What columns weigh in the fold.
    function _folded(OpeningShape memory shape, bytes32[] memory roots, uint256[] memory columns)
        private
        pure
        returns (Folded memory folded)
    {
        folded.roots = roots;
        folded.columns = new Lanes[](roots.length);
        for (uint256 i = 0; i < roots.length; ++i) {
            VectorShape memory vector = shape.vectors[i];
            uint256[] memory own = LinearForms.part(columns, 0, vector.fold);
            own = Quintic.equality(own, _slot(vector, columns));
            folded.columns[i] = LazySums.spread(own);
        }
    }

    /// @dev The weight of a vector's slot among the joint columns.
    function _slot(VectorShape memory vector, uint256[] memory columns)
        private
        pure
        returns (uint256)
    {
        uint256 count = columns.length - vector.fold;
        return Quintic.equalAt(LinearForms.part(columns, vector.fold, count), vector.slot);
    }

    /// @dev The part of a joint point that is a vector's.
    function _own(VectorShape memory vector, uint256[] memory columns, uint256[] memory rows)
        private
        pure
        returns (uint256[] memory)
    {
        return _joined(LinearForms.part(columns, 0, vector.fold), rows);
    }

    /// @return point Coordinates, and others behind them.
    function _joined(uint256[] memory first, uint256[] memory second)
        private
        pure
        returns (uint256[] memory point)
    {
        point = new uint256[](first.length + second.length);
        assembly ("memory-safe") {
            let length := shl(5, mload(first))
            mcopy(add(point, 32), add(first, 32), length)
            mcopy(add(add(point, 32), length), add(second, 32), shl(5, mload(second)))
        }
    }

    /// @dev What the terms of a vector weigh at its part of the point of all folds.
    function _terms(
        VectorShape memory vector,
        Term[] memory terms,
        uint256 index,
        uint256[] memory own
    ) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < terms.length; ++i) {
            if (terms[i].vector == index) {
                sum = Quintic.add(sum, LinearForms.weightAt(vector, terms[i], own));
            }
        }
    }

    /// @dev What all that joined the claim weighs on a vector, at the point of all folds.
    function _weight(
        OpeningShape memory shape,
        Drawn memory drawn,
        uint256 index,
        uint256[] memory columns,
        uint256[] memory rows
    ) private pure returns (uint256 sum) {
        VectorShape memory vector = shape.vectors[index];
        uint256[] memory own = _own(vector, columns, rows);
        sum = _masks(shape, drawn, index, own);
        for (uint256 i = 0; i < drawn.samples.length; ++i) {
            uint256 power = drawn.powers[drawn.masks.length + i];
            if (vector.sampled) {
                uint256 weight = _sample(shape, vector, drawn.samples[i], own);
                sum = Quintic.add(sum, Quintic.mul(power, weight));
            }
            if (vector.mask == Mask.Block) sum = Quintic.add(sum, _pad(vector, i, power, own));
        }
        return Quintic.mul(sum, _slot(vector, columns));
    }

    /// @dev What an answer at a joint point is about of a vector.
    function _sample(
        OpeningShape memory shape,
        VectorShape memory vector,
        uint256[] memory joint,
        uint256[] memory own
    ) private pure returns (uint256) {
        uint256[] memory columns = LinearForms.part(joint, 0, shape.fold);
        uint256[] memory rows = LinearForms.part(joint, shape.fold, shape.rows);
        uint256 weight = Quintic.equal(_own(vector, columns, rows), own);
        return Quintic.mul(_slot(vector, columns), weight);
    }

    /// @dev The pad of an answer: an element, coefficient by coefficient in the column behind the block.
    function _pad(VectorShape memory vector, uint256 sample, uint256 power, uint256[] memory own)
        private
        pure
        returns (uint256)
    {
        Term memory term;
        term.column = vector.columns.length - 1;
        term.cells = true;
        term.first = DEGREE * sample;
        term.values = new uint256[](DEGREE);
        for (uint256 l = 0; l < DEGREE; ++l) {
            term.values[l] = Quintic.mul(power, Quintic.monomial(l));
        }
        return LinearForms.weightAt(vector, term, own);
    }

    /// @dev What the values of a vector's masks weigh.
    function _masks(
        OpeningShape memory shape,
        Drawn memory drawn,
        uint256 index,
        uint256[] memory own
    ) private pure returns (uint256 sum) {
        VectorShape memory vector = shape.vectors[index];
        uint256 column = LinearForms.own(vector);
        uint256[] memory inColumn = own;
        if (vector.mask != Mask.Half) {
            inColumn = LinearForms.part(own, 0, vector.columns[column].variables);
        }
        for (uint256 i = index * shape.maskClaims; i < (index + 1) * shape.maskClaims; ++i) {
            uint256[] memory point = drawn.masks[i];
            if (vector.mask == Mask.Half) point = _inHalf(point, vector.fold);
            sum = Quintic.add(sum, Quintic.mul(drawn.powers[i], Quintic.equal(point, inColumn)));
        }
        if (vector.mask == Mask.Half) return sum;
        uint256 slots = 0;
        for (uint256 l = 0; l < (vector.mask == Mask.Block ? DEGREE : 1); ++l) {
            uint256 slot = LinearForms.slotAt(vector.columns[column + l], own);
            slots = Quintic.add(slots, Quintic.mul(slot, Quintic.monomial(l)));
        }
        return Quintic.mul(sum, slots);
    }

    /// @dev A point of the second half of all rows.
    function _inHalf(uint256[] memory point, uint256 fold)
        private
        pure
        returns (uint256[] memory whole)
    {
        whole = new uint256[](point.length + 1);
        assert(fold <= point.length);
        assembly ("memory-safe") {
            mcopy(add(whole, 32), add(point, 32), shl(5, fold))
            let place := add(add(whole, 32), shl(5, fold))
            let rest := sub(mload(point), fold)
            mcopy(add(place, 32), add(add(point, 32), shl(5, fold)), shl(5, rest))
        }
        whole[fold] = Quintic.ONE;
    }
}
