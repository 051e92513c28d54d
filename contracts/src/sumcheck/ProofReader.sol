// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KeccakTranscript} from "./KeccakTranscript.sol";
import {Quintic} from "./Quintic.sol";

/// @dev Where the reading of a proof is, and the transcript's state. Offsets are those of the call's data.
struct Reader {
    uint256 offset;
    uint256 end;
    uint256 state;
}

/// @title Reads a proof from the call's data, and absorbs what it reads.
library ProofReader {
    /// @dev The proof ends too early.
    error TooShort();

    /// @dev The proof goes on where it should end.
    error TooLong(uint256 bytesLeft);

    /// @return reader One at the proof's start, with this state of the transcript.
    function open(bytes calldata proof, uint256 state)
        internal
        pure
        returns (Reader memory reader)
    {
        uint256 offset;
        assembly ("memory-safe") {
            offset := proof.offset
        }
        return Reader({offset: offset, end: offset + proof.length, state: state});
    }

    /// @return offset Where the next `length` bytes are, which count as read.
    function take(Reader memory reader, uint256 length) internal pure returns (uint256 offset) {
        offset = reader.offset;
        if (length > reader.end - offset) revert TooShort();
        reader.offset = offset + length;
    }

    /// @dev Reverts unless all is read.
    function finish(Reader memory reader) internal pure {
        if (reader.offset != reader.end) revert TooLong(reader.end - reader.offset);
    }

    /// @return xs The next elements of the extension.
    function elements(Reader memory reader, uint256 count)
        internal
        pure
        returns (uint256[] memory xs)
    {
        uint256 offset = take(reader, 20 * count);
        xs = new uint256[](count);
        uint256 to;
        assembly ("memory-safe") {
            to := add(xs, 32)
        }
        for (uint256 end = offset + 20 * count; offset < end; offset += 20) {
            uint256 x = Quintic.decode(word(offset));
            assembly ("memory-safe") {
                mstore(to, x)
                to := add(to, 32)
            }
        }
    }

    /// @return xs The next elements, which are absorbed at a site.
    function absorbed(Reader memory reader, bytes32 site, uint256 count)
        internal
        pure
        returns (uint256[] memory xs)
    {
        uint256 offset = reader.offset;
        xs = elements(reader, count);
        reader.state = KeccakTranscript.absorb(reader.state, site, slice(offset, 20 * count));
    }

    /// @return root The next 32 bytes, which are absorbed at a site.
    function absorbedRoot(Reader memory reader, bytes32 site) internal pure returns (bytes32 root) {
        uint256 offset = take(reader, 32);
        reader.state = KeccakTranscript.absorb(reader.state, site, slice(offset, 32));
        return bytes32(word(offset));
    }

    /// @return x A challenge.
    function challenge(Reader memory reader) internal pure returns (uint256 x) {
        (reader.state, x) = KeccakTranscript.challenge(reader.state);
    }

    /// @return xs A point.
    function point(Reader memory reader, uint256 variables)
        internal
        pure
        returns (uint256[] memory xs)
    {
        (reader.state, xs) = KeccakTranscript.point(reader.state, variables);
    }

    /// @dev Checks the proof's work; for no bits there is none in it.
    function work(Reader memory reader, uint256 bits) internal pure {
        if (bits == 0) return;
        uint256 offset = take(reader, 4);
        reader.state = KeccakTranscript.work(reader.state, bits, bytes4(bytes32(word(offset))));
    }

    /// @return found Indices of opened leaves among 2^bits: all, where as many are asked for, else drawn.
    function indices(Reader memory reader, uint256 count, uint256 bits)
        internal
        pure
        returns (uint256[] memory found)
    {
        bool all = count >= 1 << bits;
        found = new uint256[](all ? 1 << bits : count);
        for (uint256 i = 0; i < found.length; ++i) {
            if (all) found[i] = i;
            else (reader.state, found[i]) = KeccakTranscript.index(reader.state, bits);
        }
    }

    /// @return number The next four bytes as a number.
    function le32(Reader memory reader) internal pure returns (uint256 number) {
        number = word(take(reader, 4)) >> 224;
        number = (number & 0x00ff00ff) << 8 | (number >> 8) & 0x00ff00ff;
        return (number & 0xffff) << 16 | number >> 16;
    }

    /// @return The 32 bytes of the call's data that begin at an offset.
    function word(uint256 offset) internal pure returns (uint256) {
        uint256 value;
        assembly ("memory-safe") {
            value := calldataload(offset)
        }
        return value;
    }

    /// @return part The call's data from an offset on.
    function slice(uint256 offset, uint256 length) internal pure returns (bytes calldata part) {
        assembly ("memory-safe") {
            part.offset := offset
            part.length := length
        }
    }
}
