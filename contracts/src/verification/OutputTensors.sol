// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Errors} from "../Errors.sol";

/// @title Output tensors in their canonical encoding: a head, which a key knows, and the values.
/// @dev A head is le32(|name|) ‖ name ‖ le32(rank) ‖ le64 of each dimension ‖ scale as binary64; behind it stand the
/// values as little-endian int64. Source: specs/statement.md, section 4.
library OutputTensors {
    /// @dev Bytes of a head without name and dimensions: two lengths and the scale.
    uint256 private constant FIXED = 4 + 4 + 8;

    /// @return What stands for the heads of a key's outputs, in the order of its graph.
    function digestOf(bytes[] calldata heads) internal pure returns (bytes32) {
        return keccak256(abi.encode(heads));
    }

    /// @notice The values of an output, of which there are as many as the shape in its head says.
    /// @param output The whole tensor, as whoever answers has it.
    /// @param head The key's own.
    /// @param place Which output it is, for the error.
    function valuesOf(bytes calldata output, bytes calldata head, uint256 place)
        internal
        pure
        returns (bytes calldata values)
    {
        uint256 start = head.length;
        require(
            output.length == start + 8 * sizeOf(head, place)
                && keccak256(output[:start]) == keccak256(head),
            Errors.OtherOutput(place)
        );
        return output[start:];
    }

    /// @return size How many values a tensor of this head has.
    function sizeOf(bytes calldata head, uint256 place) internal pure returns (uint256 size) {
        require(head.length >= FIXED, Errors.BadHead(place));
        uint256 name = _le32(head, 0);
        require(head.length >= FIXED + name, Errors.BadHead(place));
        uint256 rank = _le32(head, 4 + name);
        require(head.length == FIXED + name + 8 * rank, Errors.BadHead(place));
        size = 1;
        for (uint256 from = 8 + name; from < head.length - 8; from += 8) {
            size *= _reversed(uint64(bytes8(head[from:from + 8])));
        }
    }

    /// @return The integer in eight of the bytes that `valuesOf` gives.
    function integerAt(bytes calldata values, uint256 from) internal pure returns (int256) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return int64(uint64(_reversed(uint64(bytes8(values[from:from + 8])))));
    }

    function _le32(bytes calldata head, uint256 from) private pure returns (uint256) {
        return _reversed(uint256(uint32(bytes4(head[from:from + 4]))) << 32);
    }

    /// @dev Eight bytes in the other order.
    function _reversed(uint256 x) private pure returns (uint256) {
        x = (x & 0x00ff00ff00ff00ff) << 8 | x >> 8 & 0x00ff00ff00ff00ff;
        x = (x & 0x0000ffff0000ffff) << 16 | x >> 16 & 0x0000ffff0000ffff;
        return (x & 0xffffffff) << 32 | x >> 32;
    }
}
