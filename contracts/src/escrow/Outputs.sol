// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The commitment to outputs. Source: specs/statement.md, sections 1 and 5.
library Outputs {
    bytes32 internal constant TAG = keccak256("inferproof/output/1");

    /// @param outputs Each output tensor in its canonical encoding, in the graph's order.
    /// @return The tagged digest of all of them.
    function commitment(bytes[] calldata outputs) internal pure returns (bytes32) {
        uint256 size = 32;
        for (uint256 i = 0; i < outputs.length; ++i) {
            size += 8 + outputs[i].length;
        }
        bytes memory message = new bytes(size);
        bytes32 tag = TAG;
        assembly ("memory-safe") {
            mstore(add(message, 32), tag)
        }
        uint256 end = 32;
        for (uint256 i = 0; i < outputs.length; ++i) {
            bytes calldata output = outputs[i];
            assembly ("memory-safe") {
                let place := add(add(message, 32), end)
                // The length in eight bytes, and zeros, which what follows is written over. Those behind the
                // last output may lie beyond the message, in memory that nobody has taken.
                mstore(place, shl(192, output.length))
                calldatacopy(add(place, 8), output.offset, output.length)
            }
            end += 8 + output.length;
        }
        return keccak256(message);
    }
}
