// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev What a program is run on. Offsets of what is given and of the proof are those of the call's data;
/// `program` and `registers` are where the bytes and the words of elements begin in memory.
struct Job {
    uint256 program;
    uint256 registers;
    uint256 given;
    uint256 proof;
    uint256 cursor;
    uint256 end;
    uint256 state;
    uint256 filled;
    uint256 last;
    uint256 left;
    bytes32[4] slots;
}

/// @title Reads a program's instructions.
library Jobs {
    /// @return The number in `size` bytes of an instruction.
    function number(uint256 here, uint256 size) internal pure returns (uint256) {
        uint256 word;
        assembly ("memory-safe") {
            word := mload(here)
        }
        unchecked {
            return word >> 256 - 8 * size;
        }
    }

    /// @return x The element in the register that two bytes of an instruction name.
    function element(Job memory job, uint256 here) internal pure returns (uint256 x) {
        uint256 where = register(job, here);
        assembly ("memory-safe") {
            x := mload(where)
        }
    }

    /// @dev Puts an element into the register that two bytes of an instruction name.
    function put(Job memory job, uint256 here, uint256 x) internal pure {
        uint256 where = register(job, here);
        assembly ("memory-safe") {
            mstore(where, x)
        }
    }

    /// @return Where the register is that two bytes of an instruction name.
    function register(Job memory job, uint256 here) internal pure returns (uint256) {
        unchecked {
            return job.registers + 32 * number(here, 2);
        }
    }

    /// @return xs The elements in registers that an instruction lists.
    function elements(Job memory job, uint256 here, uint256 count)
        internal
        pure
        returns (uint256[] memory xs)
    {
        xs = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            xs[i] = element(job, here + 2 * i);
        }
    }
}
