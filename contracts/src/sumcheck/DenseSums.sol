// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Job, Jobs} from "./Job.sol";
import {KOALA_BEAR_MODULUS} from "./KoalaBear.sol";
import {Lanes, LazySums} from "./LazySums.sol";
import {LinearForms} from "./LinearForms.sol";
import {ProofReader} from "./ProofReader.sol";
import {Quintic} from "./Quintic.sol";

/// @dev Of columns of so many variables: eq of the coordinates that number their blocks, of 2^low cells, and
/// what pads count in a block.
struct Tables {
    uint256 size;
    uint256 low;
    uint256[] high;
    uint256[] parts;
}

/// @title Instructions about many integers or elements at once.
library DenseSums {
    /// @dev An integer that the caller gives is not in the range that the graph declares.
    error NotInRange(uint256 place);

    /// @dev Coefficients of an element, and its bytes.
    uint256 private constant DEGREE = 5;
    uint256 private constant ELEMENT = 20;
    /// @dev Coordinates within a block of pads, at most.
    uint256 private constant LOW = 5;
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
            for (uint256 end = from + ELEMENT * count; from < end; from += ELEMENT) {
                sum += Quintic.mul(_word(weights, 0), Quintic.decode(ProofReader.word(from)));
                weights += 32;
            }
        }
        Jobs.put(job, here, Quintic.reduce(sum));
        return here + 9;
    }

    /// @dev What weights of pads come to at a point of the fresh vector: register, first weight, number,
    /// columns, coordinates; of each column its variables and the register of its slot's weight; the
    /// point. Coefficient l of pad i is cell 5·i + l of all columns together.
    function pads(Job memory job, uint256 here) internal pure returns (uint256) {
        uint256 columns = Jobs.number(here + 6, 1);
        uint256 variables = Jobs.number(here + 7, 1);
        uint256[] memory point = Jobs.elements(job, here + 8 + 3 * columns, variables);
        Tables memory tables;
        uint256 sum = 0;
        uint256 first = 0;
        for (uint256 i = 0; i < columns; ++i) {
            uint256 own = here + 8 + 3 * i;
            uint256 size = Jobs.number(own, 1);
            // Columns of one size have the same tables.
            if (i == 0 || size != tables.size) tables = _tables(point, size);
            uint256 weight =
                _column(tables, Jobs.register(job, here + 2), Jobs.number(here + 4, 2), first);
            sum = Quintic.add(sum, Quintic.mul(Jobs.element(job, own + 1), weight));
            first += 1 << size;
        }
        Jobs.put(job, here, sum);
        return here + 8 + 3 * columns + 2 * variables;
    }

    /// @return What columns of so many variables are summed up with.
    function _tables(uint256[] memory point, uint256 size) private pure returns (Tables memory) {
        uint256 low = size < LOW ? size : LOW;
        uint256[] memory high = LinearForms.part(point, 0, size - low);
        uint256[] memory parts = _parts(LinearForms.part(point, size - low, low));
        return Tables(size, low, Quintic.equality(high, Quintic.ONE), parts);
    }

    /// @dev One column of pads, which begins with the cell `first` of all. Cells are taken in blocks: within
    /// one the low coordinates weigh them, and what a pad counts, Σ_l X^l·eq(cell l) over its cells in the
    /// block, is the same for all pads that begin at the same cell of a block, or before it.
    function _column(Tables memory tables, uint256 weights, uint256 count, uint256 first)
        private
        pure
        returns (uint256 sum)
    {
        uint256 parts = _first(tables.parts);
        uint256[] memory high = tables.high;
        unchecked {
            for (uint256 i = 0; i < high.length && first < DEGREE * count; ++i) {
                uint256 at = weights + 32 * (first / DEGREE);
                uint256 part = parts + 32 * (DEGREE - 1 - first % DEGREE);
                first += 1 << tables.low;
                uint256 end = (first + DEGREE - 1) / DEGREE;
                end = weights + 32 * (end > count ? count : end);
                uint256 inBlock = 0;
                for (; at < end; at += 32) {
                    inBlock += Quintic.mul(_word(at, 0), _word(part, 0));
                    part += 32 * DEGREE;
                }
                sum += Quintic.mul(_word(_first(high), i), Quintic.reduce(inBlock));
            }
        }
        return Quintic.reduce(sum);
    }

    /// @return parts What a pad counts in a block that begins with one of its cells or before them: from the
    /// pad whose last cell is the block's first one to that whose first is the block's last.
    function _parts(uint256[] memory point) private pure returns (uint256[] memory parts) {
        uint256[] memory table = Quintic.equality(point, Quintic.ONE);
        // Cells of other blocks count nothing.
        uint256[] memory cells = new uint256[](table.length + 2 * (DEGREE - 1));
        parts = new uint256[](table.length + DEGREE - 1);
        assembly ("memory-safe") {
            mcopy(add(cells, 160), add(table, 32), shl(5, mload(table)))
        }
        unchecked {
            for (uint256 i = 0; i < parts.length; ++i) {
                parts[i] = Quintic.joined(_first(cells) + 32 * i);
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
            let at := add(mload(lanes), 32)
            let shift := sub(256, shl(3, size))
            for { let end := add(at, shl(6, count)) } lt(at, end) { at := add(at, 64) } {
                let value := shr(shift, mload(from))
                ofHigh := add(ofHigh, mul(value, mload(at)))
                ofLow := add(ofLow, mul(value, mload(add(at, 32))))
                from := add(from, size)
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
        uint256 words = _first(lanes.words);
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                uint256 value = _little(from + 4 * i);
                // A negative integer is its residue. Ranges keep all of them above -p.
                if (value >> 31 == 1) value = value + P - (1 << 32);
                ofHigh += value * _word(words, 2 * i);
                ofLow += value * _word(words, 2 * i + 1);
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
