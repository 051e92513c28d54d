// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Job, Jobs} from "./Job.sol";
import {KOALA_BEAR_MODULUS} from "./KoalaBear.sol";
import {Lanes, LazySums} from "./LazySums.sol";
import {LinearForms} from "./LinearForms.sol";
import {ProofReader} from "./ProofReader.sol";
import {Quintic} from "./Quintic.sol";

/// @title Instructions about many integers or elements at once.
library DenseSums {
    /// @dev An integer that the caller gives is not in the range that the graph declares.
    error NotInRange(uint256 place);

    /// @dev Coefficients of an element, and its bytes.
    uint256 private constant DEGREE = 5;
    uint256 private constant ELEMENT = 20;
    /// @dev Coordinates that have a table of lanes, at most.
    uint256 private constant LANES = 7;
    uint256 private constant P = KOALA_BEAR_MODULUS;

    /// @dev Checks that integers which the caller gives are in a range: offset, number, both ends.
    function range(Job memory job, uint256 here) internal pure returns (uint256) {
        uint256 from = job.given + Jobs.number(here, 3);
        uint256 count = Jobs.number(here + 3, 3);
        int256 low = int32(uint32(Jobs.number(here + 6, 4)));
        int256 high = int32(uint32(Jobs.number(here + 10, 4)));
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                int256 value = int32(uint32(_little(from + 4 * i)));
                if (value < low || value > high) revert NotInRange(i);
            }
        }
        return here + 14;
    }

    /// @dev Σ eq(point, j)·integer j of the program: register, offset, number, size, coordinates.
    function ofData(Job memory job, uint256 here) internal pure returns (uint256) {
        uint256 variables = Jobs.number(here + 9, 1);
        uint256[] memory point = Jobs.elements(job, here + 10, variables);
        uint256 from = job.program + Jobs.number(here + 2, 3);
        uint256 count = Jobs.number(here + 5, 3);
        Jobs.put(job, here, _dense(point, from, count, Jobs.number(here + 8, 1)));
        return here + 10 + 2 * variables;
    }

    /// @dev The same of integers that the caller gives, of four bytes: register, offset, number, coordinates.
    function ofGiven(Job memory job, uint256 here) internal pure returns (uint256) {
        uint256 variables = Jobs.number(here + 8, 1);
        uint256[] memory point = Jobs.elements(job, here + 9, variables);
        uint256 from = job.given + Jobs.number(here + 2, 3);
        Jobs.put(job, here, _dense(point, from, Jobs.number(here + 5, 3), 0));
        return here + 9 + 2 * variables;
    }

    /// @dev Σ weight i · element i of the proof: register, first weight, number, offset.
    function total(Job memory job, uint256 here) internal pure returns (uint256) {
        uint256 weights = Jobs.register(job, here + 2);
        uint256 from = job.proof + Jobs.number(here + 6, 3);
        uint256 count = Jobs.number(here + 4, 2);
        uint256 sum = 0;
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                uint256 x = Quintic.decode(ProofReader.word(from + ELEMENT * i));
                sum = Quintic.add(sum, Quintic.mul(_word(weights, i), x));
            }
        }
        Jobs.put(job, here, sum);
        return here + 9;
    }

    /// @dev What weights of pads come to at a point of the fresh vector: register, first weight, number,
    /// columns, coordinates; of each column its variables and the register of its slot's weight; the
    /// point. Coefficient l of pad i is cell 5·i + l of all columns together.
    function pads(Job memory job, uint256 here) internal pure returns (uint256) {
        uint256 columns = Jobs.number(here + 6, 1);
        uint256 variables = Jobs.number(here + 7, 1);
        uint256[] memory point = Jobs.elements(job, here + 8 + 3 * columns, variables);
        uint256 sum = 0;
        uint256 first = 0;
        for (uint256 i = 0; i < columns; ++i) {
            uint256 own = here + 8 + 3 * i;
            uint256 size = Jobs.number(own, 1);
            uint256 weight = _column(
                LinearForms.part(point, 0, size),
                Jobs.register(job, here + 2),
                Jobs.number(here + 4, 2),
                first
            );
            sum = Quintic.add(sum, Quintic.mul(Jobs.element(job, own + 1), weight));
            first += 1 << size;
        }
        Jobs.put(job, here, sum);
        return here + 8 + 3 * columns + 2 * variables;
    }

    /// @dev One column of pads, which begins with the cell `first` of all. Cells are taken in blocks: within
    /// one the low coordinates weigh them, and what a pad has in a block, Σ_l X^l·eq(cell l), is the same for
    /// all pads that begin alike; five blocks on, all begins anew.
    function _column(uint256[] memory point, uint256 weights, uint256 count, uint256 first)
        private
        pure
        returns (uint256)
    {
        uint256 low = point.length < 10 ? 4 : 6;
        uint256[] memory high =
            Quintic.equality(LinearForms.part(point, 0, point.length - low), Quintic.ONE);
        uint256[] memory parts = _parts(LinearForms.part(point, point.length - low, low), first);
        uint256 end = (first + (1 << point.length) + DEGREE - 1) / DEGREE;
        uint256 begin = first / DEGREE;
        weights += 32 * begin;
        return _blocks(high, parts, weights, (end > count ? count : end) - begin, first % DEGREE);
    }

    /// @dev Σ over blocks of their weight times what pads have in them: so many pads, of the first of which
    /// so many cells lie before the first block. What lies beyond the last one is another column's.
    function _blocks(
        uint256[] memory high,
        uint256[] memory parts,
        uint256 weights,
        uint256 count,
        uint256 before
    ) private pure returns (uint256 sum) {
        unchecked {
            // Blocks are numbered from 1 here.
            uint256 own = 1;
            uint256 inOwn = 0;
            for (uint256 i = 0; i < count; ++i) {
                uint256 number = (2 * DEGREE * i + parts.length - 2 * before) / parts.length;
                uint256 weight = _word(weights, i);
                uint256 part = _first(parts) + (64 * i & 32 * parts.length - 1);
                if (number > own) {
                    sum = Quintic.add(sum, Quintic.mul(inOwn, high[own - 1]));
                    (own, inOwn) = (number, 0);
                }
                if (number == own) {
                    inOwn = Quintic.add(inOwn, Quintic.mul(weight, _word(part, 0)));
                }
                part = _word(part, 1);
                if (part == 0) continue;
                if (number == own) {
                    sum = Quintic.add(sum, Quintic.mul(inOwn, high[own - 1]));
                    (own, inOwn) = (number + 1, 0);
                }
                inOwn = Quintic.add(inOwn, Quintic.mul(weight, part));
            }
            if (own <= high.length) sum = Quintic.add(sum, Quintic.mul(inOwn, high[own - 1]));
        }
    }

    /// @return parts Of each pad of five blocks what its cells weigh in the block where it begins, and what
    /// those weigh that are in the next one.
    function _parts(uint256[] memory point, uint256 first)
        private
        pure
        returns (uint256[] memory parts)
    {
        uint256[] memory table = Quintic.equality(point, Quintic.ONE);
        parts = new uint256[](2 * table.length);
        unchecked {
            for (uint256 j = 0; j < table.length; ++j) {
                uint256 cell = DEGREE * j + table.length - first % DEGREE & table.length - 1;
                uint256 own = table.length - cell < DEGREE ? table.length - cell : DEGREE;
                parts[2 * j] = _powers(_first(table) + 32 * cell, own);
                if (own == DEGREE) continue;
                uint256 next = _powers(_first(table), DEGREE - own);
                for (uint256 l = 0; l < own; ++l) {
                    next = Quintic.timesX(next);
                }
                parts[2 * j + 1] = next;
            }
        }
    }

    /// @dev Σ_l X^l·word l, of at least one word.
    function _powers(uint256 words, uint256 count) private pure returns (uint256 sum) {
        unchecked {
            sum = _word(words, count - 1);
            for (uint256 l = count - 1; l > 0; --l) {
                sum = Quintic.add(Quintic.timesX(sum), _word(words, l - 1));
            }
        }
    }

    /// @dev Where the elements of an array are.
    function _first(uint256[] memory xs) private pure returns (uint256 where) {
        assembly ("memory-safe") {
            where := add(xs, 32)
        }
    }

    /// @dev A word of memory, so many behind another one.
    function _word(uint256 where, uint256 place) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(where, shl(5, place)))
        }
    }

    /// @dev Σ eq(point, j)·integer j. Integers of so many bytes are in memory, the most significant first;
    /// those of no size in the call's data, four bytes of two's complement, the least significant first.
    function _dense(uint256[] memory point, uint256 from, uint256 count, uint256 size)
        private
        pure
        returns (uint256 sum)
    {
        uint256 low = point.length < LANES ? point.length : LANES;
        Lanes memory lanes = LazySums.spread(
            Quintic.equality(LinearForms.part(point, point.length - low, low), Quintic.ONE)
        );
        uint256[] memory high =
            Quintic.equality(LinearForms.part(point, 0, point.length - low), Quintic.ONE);
        uint256 step = size == 0 ? 4 : size;
        for (uint256 i = 0; i << low < count; ++i) {
            uint256 own = count - (i << low);
            if (own > 1 << low) own = 1 << low;
            uint256 begin = from + (i << low) * step;
            uint256 part = size == 0 ? _given(lanes, begin, own) : _stored(lanes, begin, own, size);
            sum = Quintic.add(sum, Quintic.mul(high[i], part));
        }
    }

    function _stored(Lanes memory lanes, uint256 from, uint256 count, uint256 size)
        private
        pure
        returns (uint256)
    {
        uint256 ofHigh = 0;
        uint256 ofLow = 0;
        assembly ("memory-safe") {
            let high := add(mload(lanes), 32)
            let low := add(mload(add(lanes, 32)), 32)
            let shift := sub(256, shl(3, size))
            for { let end := add(high, shl(5, count)) } lt(high, end) {} {
                let value := shr(shift, mload(from))
                ofHigh := add(ofHigh, mul(value, mload(high)))
                ofLow := add(ofLow, mul(value, mload(low)))
                from := add(from, size)
                high := add(high, 32)
                low := add(low, 32)
            }
        }
        return LazySums.reduced(ofHigh, ofLow);
    }

    function _given(Lanes memory lanes, uint256 from, uint256 count)
        private
        pure
        returns (uint256)
    {
        uint256 ofHigh = 0;
        uint256 ofLow = 0;
        uint256 high = _first(lanes.high);
        uint256 low = _first(lanes.low);
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                uint256 value = _little(from + 4 * i);
                // A negative integer is its residue. Ranges keep all of them above -p.
                if (value >> 31 == 1) value = value + P - (1 << 32);
                ofHigh += value * _word(high, i);
                ofLow += value * _word(low, i);
            }
        }
        return LazySums.reduced(ofHigh, ofLow);
    }

    /// @dev Four bytes of the call's data, the least significant first.
    function _little(uint256 from) private pure returns (uint256 value) {
        value = ProofReader.word(from) >> 224;
        value = (value & 0x00ff00ff) << 8 | (value >> 8) & 0x00ff00ff;
        return (value & 0xffff) << 16 | value >> 16;
    }
}
