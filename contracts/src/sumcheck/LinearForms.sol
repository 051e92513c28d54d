// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Mask, OpeningShape, Place, VectorShape} from "./OpeningShape.sol";
import {Quintic} from "./Quintic.sol";

/// @dev A term of a linear form: a column at a point (`values`), times a scale; or, where `cells` is set,
/// weights (`values`) on the cells of a column from `first` on.
struct Term {
    uint256 vector;
    uint256 column;
    bool cells;
    uint256 first;
    uint256 scale;
    uint256[] values;
}

/// @title Linear forms on committed vectors, as polynomials of their weights at one point.
/// @dev Source: specs/hiding-opening.md, section 1.
library LinearForms {
    /// @dev A term is about no column of a vector's owner, or about cells that the column has not.
    error Unfit(uint256 term);

    /// @dev Reverts unless each term is about an owner's column.
    function check(OpeningShape memory shape, Term[] memory terms) internal pure {
        for (uint256 i = 0; i < terms.length; ++i) {
            Term memory term = terms[i];
            if (term.vector >= shape.vectors.length) revert Unfit(i);
            VectorShape memory vector = shape.vectors[term.vector];
            if (term.column >= own(vector)) revert Unfit(i);
            uint256 variables = vector.columns[term.column].variables;
            bool fits = term.cells
                ? term.first <= 1 << variables
                    && term.values.length <= (1 << variables) - term.first
                : term.values.length == variables;
            if (!fits) revert Unfit(i);
        }
    }

    /// @return Columns of a vector's owner.
    function own(VectorShape memory vector) internal pure returns (uint256) {
        uint256 added = vector.mask == Mask.Block ? 6 : vector.mask == Mask.Column ? 1 : 0;
        return vector.columns.length - added;
    }

    /// @return What a term weighs at a point of its vector.
    function weightAt(VectorShape memory vector, Term memory term, uint256[] memory point)
        internal
        pure
        returns (uint256)
    {
        Place memory place = vector.columns[term.column];
        uint256[] memory inColumn = part(point, 0, place.variables);
        if (term.cells) {
            uint256 sum = cellsAt(inColumn, term.first, term.values);
            return Quintic.mul(slotAt(place, point), sum);
        }
        uint256 weight = Quintic.mul(slotAt(place, point), Quintic.equal(inColumn, term.values));
        return Quintic.mul(weight, term.scale);
    }

    /// @return The weight of a column's slot at a point of its vector.
    function slotAt(Place memory place, uint256[] memory point) internal pure returns (uint256) {
        uint256[] memory slot = part(point, place.variables, point.length - place.variables);
        return Quintic.equalAt(slot, place.slot);
    }

    /// @return sum Σ weights[i] * eq(point, first + i). The last coordinates have a table, and the others
    /// weigh as much for all cells whose numbers begin alike.
    function cellsAt(uint256[] memory point, uint256 first, uint256[] memory weights)
        internal
        pure
        returns (uint256 sum)
    {
        uint256 low = 0;
        while (1 << low < weights.length && low < point.length) ++low;
        uint256[] memory high = part(point, 0, point.length - low);
        uint256[] memory table = Quintic.equality(part(point, point.length - low, low), Quintic.ONE);
        uint256 i = 0;
        while (i < weights.length) {
            uint256 prefix = (first + i) >> low;
            uint256 piece = 0;
            for (; i < weights.length && (first + i) >> low == prefix; ++i) {
                uint256 weight = table[(first + i) & (table.length - 1)];
                piece = Quintic.add(piece, Quintic.mul(weight, weights[i]));
            }
            sum = Quintic.add(sum, Quintic.mul(piece, Quintic.equalAt(high, prefix)));
        }
    }

    /// @return copied Coordinates of a point.
    function part(uint256[] memory point, uint256 first, uint256 count)
        internal
        pure
        returns (uint256[] memory copied)
    {
        copied = new uint256[](count);
        assert(first + count <= point.length);
        assembly ("memory-safe") {
            mcopy(add(copied, 32), add(add(point, 32), shl(5, first)), shl(5, count))
        }
    }
}
