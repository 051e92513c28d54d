// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {Quintic} from "../../src/sumcheck/Quintic.sol";

/// @dev The cheatcodes that read the vectors which the Rust code makes.
interface VectorFiles {
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonBytes(string calldata json, string calldata key)
        external
        pure
        returns (bytes memory);
    function parseJsonBytes32(string calldata json, string calldata key)
        external
        pure
        returns (bytes32);
    function parseJsonUint(string calldata json, string calldata key)
        external
        pure
        returns (uint256);
    function parseJsonUintArray(string calldata json, string calldata key)
        external
        pure
        returns (uint256[] memory);
    function parseJsonString(string calldata json, string calldata key)
        external
        pure
        returns (string memory);
}

/// @dev What the tests of the sumcheck libraries start from.
abstract contract Vectors is Base {
    VectorFiles internal constant files = VectorFiles(address(vm));
    uint256 internal constant P = 0x7f000001;

    error IsNot(string what, uint256 place, uint256 actual, uint256 expected);

    function assertIs(string memory what, uint256 place, uint256 actual, uint256 expected)
        internal
        pure
    {
        if (actual != expected) revert IsNot(what, place, actual, expected);
    }

    /// @dev The same of elements, which have several words.
    function assertSame(string memory what, uint256 place, uint256 actual, uint256 expected)
        internal
        pure
    {
        assertIs(what, place, Quintic.canonical(actual), Quintic.canonical(expected));
    }

    function assertSame(uint256 actual, uint256 expected) internal pure {
        assertSame("element", 0, actual, expected);
    }

    function read(string memory name) internal view returns (string memory) {
        return files.readFile(string.concat("../vectors/evm/", name, ".json"));
    }

    /// @dev The elements that a field of a vector file is made of.
    function elements(string memory json, string memory key)
        internal
        pure
        returns (uint256[] memory xs)
    {
        return decoded(files.parseJsonBytes(json, key));
    }

    function decoded(bytes memory data) internal pure returns (uint256[] memory xs) {
        xs = new uint256[](data.length / 20);
        for (uint256 i = 0; i < xs.length; ++i) {
            uint256 word;
            assembly ("memory-safe") {
                word := mload(add(add(data, 32), mul(i, 20)))
            }
            // Whatever lies behind the element is no part of it.
            xs[i] = Quintic.decode(word);
        }
    }

    /// @dev An element by coefficients.
    function element(uint256[5] memory coefficients) internal pure returns (uint256 x) {
        for (uint256 i = 0; i < 5; ++i) {
            x |= coefficients[i] << 51 * i;
        }
    }
}
