// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KOALA_BEAR_MODULUS, KoalaBear} from "./KoalaBear.sol";

/// @title The transcript by Keccak-256. Source: specs/transcript.md, section 9.
/// @dev The state is a word, zero at first, which the caller keeps. Each function gives the next one.
library KeccakTranscript {
    uint256 private constant P = KOALA_BEAR_MODULUS;

    /// @dev The proof's work is not what was asked for.
    error NoWork(uint256 bits);

    /// @return next The state after `data` is absorbed at the site whose label has the hash `site`.
    function absorb(uint256 state, bytes32 site, bytes calldata data)
        internal
        pure
        returns (uint256 next)
    {
        assembly ("memory-safe") {
            // Above all that is allocated, and given back.
            let at := mload(0x40)
            mstore(at, state)
            mstore(add(at, 32), site)
            calldatacopy(add(at, 64), data.offset, data.length)
            next := keccak256(at, add(data.length, 64))
        }
    }

    /// @dev The same for data in memory.
    function absorbMemory(uint256 state, bytes32 site, bytes memory data)
        internal
        pure
        returns (uint256 next)
    {
        assembly ("memory-safe") {
            let at := mload(0x40)
            let length := mload(data)
            mstore(at, state)
            mstore(add(at, 32), site)
            mcopy(add(at, 64), add(data, 32), length)
            next := keccak256(at, add(length, 64))
        }
    }

    function squeeze(uint256 state) internal pure returns (uint256 next) {
        assembly ("memory-safe") {
            mstore(0, state)
            next := keccak256(0, 32)
        }
    }

    /// @return next The state.
    /// @return element A challenge: the five lowest digits of the state to the base p, that of X^0 first.
    function challenge(uint256 state) internal pure returns (uint256 next, uint256 element) {
        next = squeeze(state);
        assembly ("memory-safe") {
            let rest := next
            element := mod(rest, P)
            rest := div(rest, P)
            element := or(element, shl(51, mod(rest, P)))
            rest := div(rest, P)
            element := or(element, shl(102, mod(rest, P)))
            rest := div(rest, P)
            element := or(element, shl(153, mod(rest, P)))
            element := or(element, shl(204, mod(div(rest, P), P)))
        }
    }

    /// @return next The state.
    /// @return elements A point of so many coordinates.
    function point(uint256 state, uint256 variables)
        internal
        pure
        returns (uint256 next, uint256[] memory elements)
    {
        next = state;
        elements = new uint256[](variables);
        for (uint256 i = 0; i < variables; ++i) {
            (next, elements[i]) = challenge(next);
        }
    }

    /// @return next The state.
    /// @return drawn An index of so many bits.
    function index(uint256 state, uint256 bits)
        internal
        pure
        returns (uint256 next, uint256 drawn)
    {
        next = squeeze(state);
        drawn = next & ((1 << bits) - 1);
    }

    /// @dev Reverts unless `witness`, the four canonical bytes of a proof, shows so many bits of work. For
    /// no bits nothing is hashed.
    function work(uint256 state, uint256 bits, bytes4 witness)
        internal
        pure
        returns (uint256 next)
    {
        if (bits == 0) return state;
        uint256 value = uint32(witness);
        value = (value & 0x00ff00ff) << 8 | (value >> 8) & 0x00ff00ff;
        value = (value & 0xffff) << 16 | value >> 16;
        if (value >= P) revert KoalaBear.NotCanonical();
        assembly ("memory-safe") {
            mstore(0, state)
            mstore(32, witness)
            next := keccak256(0, 36)
        }
        if (next & ((1 << bits) - 1) != 0) revert NoWork(bits);
    }
}
