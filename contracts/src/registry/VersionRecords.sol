// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Bytes} from "@openzeppelin/contracts/utils/Bytes.sol";
import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";
import {Terms, Version} from "./Registration.sol";

/// @title What of a version never changes, as the code of an account that does nothing.
/// @dev Code cannot be changed, and a byte of it costs 200 gas where a slot of storage costs 22,100 for 32.
/// Layout behind the byte that stops: model, verifying key and metadata digest of 32 bytes each, verifier
/// of 4, kinds of inputs and of outputs of 1 each, the length of the content id in 1, content id, URI.
library VersionRecords {
    using Bytes for bytes;

    /// @dev Copies what lies behind its own eleven bytes, and gives it back: PUSH1 0, PUSH1 11, CODESIZE
    /// less 11 bytes. The byte behind it stops whoever calls the account.
    bytes private constant CREATION = hex"600b5981380380925939f300";
    uint256 private constant HEAD = 104;

    /// @return The account whose code the terms now are.
    function store(bytes32 commitment, bytes32 model, Terms calldata terms)
        internal
        returns (address)
    {
        bytes memory code = abi.encodePacked(
            CREATION,
            abi.encodePacked(
                model,
                terms.verifyingKey,
                terms.metadataDigest,
                terms.verifier,
                terms.inputKinds,
                terms.outputKinds
            ),
            uint8(terms.contentId.length),
            terms.contentId,
            terms.metadataUri
        );
        return Create2.deploy(0, commitment, code);
    }

    /// @return version What `store` was given. Its number and whether it is active are not in the record.
    function load(address record) internal view returns (Version memory version) {
        bytes memory code = record.code;
        uint256 uri = HEAD + uint8(code[HEAD - 1]);
        version.model = _word(code, 1);
        version.terms = Terms({
            verifier: bytes4(_word(code, 97)),
            verifyingKey: _word(code, 33),
            inputKinds: uint8(code[101]),
            outputKinds: uint8(code[102]),
            metadataDigest: _word(code, 65),
            metadataUri: string(code.slice(uri)),
            contentId: code.slice(HEAD, uri)
        });
    }

    /// @notice What a contract that has proofs checked needs, without the rest and at a third of its gas.
    function proofTerms(address record)
        internal
        view
        returns (bytes4 verifier, bytes32 verifyingKey, uint8 inputKinds)
    {
        bytes32 word;
        assembly ("memory-safe") {
            extcodecopy(record, 0, 33, 32)
            verifyingKey := mload(0)
            extcodecopy(record, 0, 97, 32)
            word := mload(0)
        }
        (verifier, inputKinds) = (bytes4(word), uint8(word[4]));
    }

    /// @return The model that a version belongs to, without the rest.
    function modelOf(address record) internal view returns (bytes32) {
        return _word(record.code, 1);
    }

    function _word(bytes memory code, uint256 from) private pure returns (bytes32) {
        return bytes32(code.slice(from, from + 32));
    }
}
