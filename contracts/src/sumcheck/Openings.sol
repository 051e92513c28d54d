// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HidingOpening, Remainder} from "./HidingOpening.sol";
import {LaterCode, Mask, OpeningShape, Place, Queries, VectorShape} from "./OpeningShape.sol";

/// @title Follows hiding openings for other contracts, which are too large to do it themselves.
/// @dev It has no state and no owner: a call says what it says of its arguments alone.
contract Openings {
    /// @dev The numbers of a shape are fewer or more than it has.
    error NoShape();

    /// @dev Bytes of a number of a shape.
    uint256 private constant NUMBER = 4;

    /// @notice Follows an opening of vectors of this shape under these roots to what is left of its claim.
    /// @param numbers The shape as `specs/hiding-opening.md`, section 11, lists it, four bytes each.
    function open(
        bytes calldata numbers,
        bytes32[] calldata roots,
        uint256 value,
        bytes calldata opening,
        uint256 state
    ) external pure returns (Remainder memory) {
        return HidingOpening.open(shapeOf(numbers), roots, value, opening, state);
    }

    /// @return shape The one that has these numbers.
    function shapeOf(bytes calldata numbers) public pure returns (OpeningShape memory shape) {
        uint256 next = 0;
        uint256 count;
        (shape.rows, next) = _next(numbers, next);
        (shape.fold, next) = _next(numbers, next);
        (shape.tails, next) = _next(numbers, next);
        (shape.rate, next) = _next(numbers, next);
        (shape.samples, next) = _next(numbers, next);
        (shape.maskClaims, next) = _next(numbers, next);
        (shape.end, next) = _queries(numbers, next);
        (count, next) = _next(numbers, next);
        shape.codes = new LaterCode[](count);
        (count, next) = _next(numbers, next);
        shape.vectors = new VectorShape[](count);
        for (uint256 i = 0; i < shape.codes.length; ++i) {
            next = _code(numbers, next, shape.codes[i]);
        }
        for (uint256 i = 0; i < count; ++i) {
            next = _vector(numbers, next, shape.vectors[i]);
        }
        if (next != numbers.length) revert NoShape();
    }

    function _code(bytes calldata numbers, uint256 next, LaterCode memory code)
        private
        pure
        returns (uint256)
    {
        (code.queries, next) = _queries(numbers, next);
        (code.samples, next) = _next(numbers, next);
        (code.fold, next) = _next(numbers, next);
        (code.rate, next) = _next(numbers, next);
        return next;
    }

    function _vector(bytes calldata numbers, uint256 next, VectorShape memory vector)
        private
        pure
        returns (uint256)
    {
        uint256 number;
        (vector.fold, next) = _next(numbers, next);
        (vector.slot, next) = _next(numbers, next);
        (vector.salts, next) = _next(numbers, next);
        (number, next) = _next(numbers, next);
        vector.mask = Mask(number);
        (number, next) = _next(numbers, next);
        vector.sampled = number == 1;
        (number, next) = _next(numbers, next);
        vector.columns = new Place[](number);
        for (uint256 i = 0; i < vector.columns.length; ++i) {
            (vector.columns[i].variables, next) = _next(numbers, next);
            (vector.columns[i].slot, next) = _next(numbers, next);
        }
        return next;
    }

    function _queries(bytes calldata numbers, uint256 next)
        private
        pure
        returns (Queries memory queries, uint256)
    {
        (queries.count, next) = _next(numbers, next);
        (queries.work, next) = _next(numbers, next);
        return (queries, next);
    }

    function _next(bytes calldata numbers, uint256 from) private pure returns (uint256, uint256) {
        if (from + NUMBER > numbers.length) revert NoShape();
        return (uint32(bytes4(numbers[from:from + NUMBER])), from + NUMBER);
    }
}
