// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Statement, StatementLib} from "../src/StatementLib.sol";
import {Base} from "./Base.sol";

/// @dev The cheatcodes that read the vectors shared with the other languages.
interface Files {
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonBytes32(string calldata json, string calldata key)
        external
        pure
        returns (bytes32);
    function parseJsonString(string calldata json, string calldata key)
        external
        pure
        returns (string memory);
    function parseJsonAddress(string calldata json, string calldata key)
        external
        pure
        returns (address);
    function parseJsonUint(string calldata json, string calldata key)
        external
        pure
        returns (uint256);
}

contract StatementLibTest is Base {
    Files private constant files = Files(address(vm));

    function test_TypeHashAndDomainAreThoseOfTheVectors() public view {
        string memory json = files.readFile("../vectors/statement.json");
        assertEq(StatementLib.TYPE_HASH, files.parseJsonBytes32(json, ".typeHash"));
        assertEq(StatementLib.DOMAIN_SEPARATOR, files.parseJsonBytes32(json, ".domainSeparator"));
    }

    function test_DigestsAreThoseOfTheVectors() public view {
        string memory json = files.readFile("../vectors/statement.json");
        string[2] memory entries = [".statements[0]", ".statements[1]"];
        for (uint256 i = 0; i < entries.length; ++i) {
            bytes32 expected = files.parseJsonBytes32(json, string.concat(entries[i], ".digest"));
            assertEq(StatementLib.digest(_statement(json, entries[i])), expected);
        }
    }

    function test_ChangingAnyFieldChangesTheDigest() public view {
        string memory json = files.readFile("../vectors/statement.json");
        bytes32 original = StatementLib.digest(_statement(json, ".statements[0]"));
        for (uint256 field = 0; field < 7; ++field) {
            Statement memory changed = _statement(json, ".statements[0]");
            if (field == 0) changed.jobId = ~changed.jobId;
            if (field == 1) changed.modelCommitment = ~changed.modelCommitment;
            if (field == 2) changed.inputCommitment = ~changed.inputCommitment;
            if (field == 3) changed.outputCommitment = ~changed.outputCommitment;
            if (field == 4) changed.proofSystem = string.concat(changed.proofSystem, " ");
            if (field == 5) changed.provider = address(this);
            if (field == 6) changed.version += 1;
            assertTrue(StatementLib.digest(changed) != original, "a changed field is not bound");
        }
    }

    function testFuzz_LimbsHoldTheWholeDigest(bytes32 value) public pure {
        uint256[16] memory limbs = StatementLib.toLimbs(value);
        uint256 joined;
        for (uint256 i = 0; i < 16; ++i) {
            assertTrue(limbs[i] < 1 << 16, "a limb has sixteen bits");
            joined = joined << 16 | limbs[i];
        }
        assertEq(bytes32(joined), value);
    }

    function _statement(string memory json, string memory at)
        private
        pure
        returns (Statement memory)
    {
        string memory s = string.concat(at, ".statement");
        return Statement({
            jobId: files.parseJsonBytes32(json, string.concat(s, ".jobId")),
            modelCommitment: files.parseJsonBytes32(json, string.concat(s, ".modelCommitment")),
            inputCommitment: files.parseJsonBytes32(json, string.concat(s, ".inputCommitment")),
            outputCommitment: files.parseJsonBytes32(json, string.concat(s, ".outputCommitment")),
            proofSystem: files.parseJsonString(json, string.concat(s, ".proofSystem")),
            provider: files.parseJsonAddress(json, string.concat(s, ".provider")),
            version: uint16(files.parseJsonUint(json, string.concat(s, ".version")))
        });
    }
}
