// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HidingOpening} from "../../src/sumcheck/HidingOpening.sol";
import {DenseSums} from "../../src/sumcheck/DenseSums.sol";
import {KoalaBear} from "../../src/sumcheck/KoalaBear.sol";
import {Machine} from "../../src/sumcheck/Machine.sol";
import {Openings} from "../../src/sumcheck/Openings.sol";
import {Link, PrivateProofs} from "../../src/sumcheck/PrivateProofs.sol";
import {Programs} from "../../src/sumcheck/Programs.sol";
import {ProofReader} from "../../src/sumcheck/ProofReader.sol";
import {Vectors} from "./Vectors.sol";

/// @dev Proofs of `native/prover`, with the programs that `inferproof.second_verifier.program` makes of their keys.
contract PrivateProofsTest is Vectors {
    struct Case {
        bytes32 program;
        bytes32 chain;
        bytes given;
        bytes proof;
    }

    event Gas(string what, uint256 dataBytes, uint256 calldataGas, uint256 executionGas);

    /// @dev Bytes that a contract may have.
    uint256 private constant MOST_CODE = 24_576;

    Openings private openings;
    PrivateProofs private proofs;

    function setUp() public {
        openings = new Openings();
        proofs = new PrivateProofs(openings);
    }

    function test_ContractsAreSmallEnough() public {
        assertTrue(address(openings).code.length <= MOST_CODE, "the follower of openings");
        assertTrue(address(proofs).code.length <= MOST_CODE, "the checker of proofs");
        emit Gas("code of openings", address(openings).code.length, 0, 0);
        emit Gas("code of proofs", address(proofs).code.length, 0, 0);
    }

    function test_LinearIsAccepted() public {
        _accept("linear");
    }

    function test_ClampsAreAccepted() public {
        _accept("clamps");
    }

    function test_ParametersBehindTwoLinksAreAccepted() public {
        _accept("parameters");
    }

    function test_FraudIsAccepted() public {
        _accept("fraud");
    }

    function test_TokenRiskIsAccepted() public {
        _accept("token_risk");
    }

    function test_VisionIsAccepted() public {
        _accept("vision");
    }

    function test_MlpIsAccepted() public {
        _accept("mlp");
    }

    function test_ChangedBytesOfLinearAreRejected() public {
        _reject("linear", 1);
    }

    function test_ChangedBytesOfParametersAreRejected() public {
        _reject("parameters", 3);
    }

    function test_ChangedBytesOfFraudAreRejected() public {
        _reject("fraud", 3);
    }

    function test_AProofOfALiarIsRejectedByItsClaim() public {
        Case memory c = _linked("fraud-lie");
        vm.expectRevert(abi.encodeWithSelector(HidingOpening.ClaimDoesNotHold.selector));
        proofs.check(c.program, c.chain, c.given, c.proof);
    }

    function test_WhatIsGivenIsBound() public {
        Case memory c = _linked("linear");
        for (uint256 i = 0; i < c.given.length; ++i) {
            c.given[i] ^= 0x01;
            assertTrue(!_accepted(c), "a byte that is given");
            c.given[i] ^= 0x01;
        }
        assertTrue(_accepted(c), "as it was");
        c.given = bytes.concat(c.given, hex"00");
        uint256 length = c.given.length;
        vm.expectRevert(abi.encodeWithSelector(Machine.WrongLength.selector, length, length - 1));
        proofs.check(c.program, c.chain, c.given, c.proof);
    }

    function test_WhatIsOutOfItsRangeIsRefusedByName() public {
        Case memory c = _linked("fraud");
        // The first input, behind link and statement: 32 + 84 + 32 bytes. 32768 is one too many.
        (c.given[148], c.given[149], c.given[150], c.given[151]) = (0x00, 0x80, 0x00, 0x00);
        vm.expectRevert(abi.encodeWithSelector(DenseSums.NotInRange.selector, 0));
        proofs.check(c.program, c.chain, c.given, c.proof);
    }

    function test_AnEpochThatNoLinkLeadsToIsRefusedByName() public {
        string memory json = _read("linear");
        Case memory c = _case(json);
        c.program = proofs.add(files.parseJsonBytes(json, ".program"));
        (bool done, bytes memory why) = address(proofs)
            .staticcall(abi.encodeCall(PrivateProofs.check, (c.program, c.chain, c.given, c.proof)));
        assertTrue(!done && bytes4(why) == PrivateProofs.NotLinked.selector, "not linked");
        // And with the link, but under other programs.
        c = _linked("linear");
        c.chain ^= bytes32(uint256(1));
        (done, why) = address(proofs)
            .staticcall(abi.encodeCall(PrivateProofs.check, (c.program, c.chain, c.given, c.proof)));
        assertTrue(!done && bytes4(why) == PrivateProofs.NotLinked.selector, "not linked");
    }

    function test_ALinkWhoseParentWasNotReachedIsRefusedByName() public {
        string memory json = _read("parameters");
        bytes32 last = proofs.add(files.parseJsonBytes(json, ".link1Program"));
        bytes memory given = files.parseJsonBytes(json, ".link1Given");
        bytes memory opening = files.parseJsonBytes(json, ".link1Opening");
        (bool done, bytes memory why) =
            address(proofs).call(abi.encodeCall(PrivateProofs.link, (last, 0, given, opening)));
        assertTrue(!done && bytes4(why) == PrivateProofs.NotLinked.selector, "not linked");
    }

    function test_BytesMissingAndLeftOverAreRefusedByName() public {
        Case memory c = _linked("linear");
        bytes memory proof = c.proof;
        c.proof = bytes.concat(proof, hex"00");
        vm.expectRevert(abi.encodeWithSelector(ProofReader.TooLong.selector, 1));
        proofs.check(c.program, c.chain, c.given, c.proof);
        uint256[4] memory lengths = [0, uint256(31), 700, proof.length - 1];
        for (uint256 i = 0; i < lengths.length; ++i) {
            c.proof = new bytes(lengths[i]);
            for (uint256 j = 0; j < lengths[i]; ++j) {
                c.proof[j] = proof[j];
            }
            vm.expectRevert(abi.encodeWithSelector(ProofReader.TooShort.selector));
            proofs.check(c.program, c.chain, c.given, c.proof);
        }
    }

    function test_ElementsThatAreNotCanonicalAreRefusedByName() public {
        Case memory c = _linked("linear");
        // p for the first coefficient of the first element, behind the root.
        (c.proof[32], c.proof[33], c.proof[34], c.proof[35]) = (0x01, 0x00, 0x00, 0x7f);
        vm.expectRevert(abi.encodeWithSelector(KoalaBear.NotCanonical.selector));
        proofs.check(c.program, c.chain, c.given, c.proof);
    }

    function test_ProgramsAreNamedByTheirBytes() public {
        bytes memory program = new bytes(50_001);
        for (uint256 i = 0; i < program.length; ++i) {
            // forge-lint: disable-next-line(unsafe-typecast)
            program[i] = bytes1(uint8(i * 7 + i / 251));
        }
        Loaded loaded = new Loaded();
        bytes32 digest = loaded.add(program);
        assertEq(digest, keccak256(program));
        assertEq(keccak256(loaded.read(digest)), keccak256(bytes.concat(program, bytes32(0))));
        assertEq(loaded.add(program), digest);
        assertTrue(loaded.has(digest) && !loaded.has(0), "there, and not there");
        vm.expectRevert(abi.encodeWithSelector(Programs.NoProgram.selector, bytes32(0)));
        loaded.read(0);
        vm.expectRevert(abi.encodeWithSelector(Programs.NotAProgram.selector));
        loaded.add("");
    }

    function test_WhatHasNoRoomForItsCodeIsRefusedByName() public {
        bytes memory program = new bytes(20_000);
        Loaded loaded = new Loaded();
        vm.expectRevert(abi.encodeWithSelector(Programs.NotStored.selector));
        // A byte of code takes 200 gas.
        loaded.add{gas: 1_500_000}(program);
        assertEq(loaded.add(program), keccak256(program));
    }

    function test_OtherInstructionsAreRefusedByName() public {
        // One register, no constants, nothing given.
        bytes memory head = hex"0001000000000a000000";
        uint8[4] memory others = [9, 15, 38, 255];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes32 program = proofs.add(bytes.concat(head, bytes1(others[i]), bytes6(0)));
            vm.expectRevert(
                abi.encodeWithSelector(Machine.NoInstruction.selector, uint256(others[i]))
            );
            proofs.check(program, 0, "", "");
        }
    }

    function test_KnownValuesThatDifferAreRefusedByName() public {
        // The constants 0 and 1, of which both must be equal; then an instruction that there is not.
        bytes memory head = hex"00020002000010000000";
        bytes memory constants = bytes.concat(bytes20(0), bytes20(hex"01"));
        bytes32 program = proofs.add(bytes.concat(head, hex"2400000001ff", constants));
        vm.expectRevert(abi.encodeWithSelector(Machine.KnownValuesDiffer.selector));
        proofs.check(program, 0, "", "");
        program = proofs.add(bytes.concat(head, hex"2400010001ff", constants));
        vm.expectRevert(abi.encodeWithSelector(Machine.NoInstruction.selector, 255));
        proofs.check(program, 0, "", "");
    }

    function test_NumbersThatAreNoShapeAreRefusedByName() public {
        bytes memory none = new bytes(40);
        assertEq(openings.shapeOf(none).vectors.length, 0);
        for (uint256 i = 0; i < 2; ++i) {
            none = i == 0 ? new bytes(39) : new bytes(41);
            vm.expectRevert(abi.encodeWithSelector(Openings.NoShape.selector));
            openings.shapeOf(none);
        }
    }

    function _accept(string memory name) private {
        string memory json = _read(name);
        Case memory c = _linked(name);
        bytes memory data =
            abi.encodeCall(PrivateProofs.check, (c.program, c.chain, c.given, c.proof));
        uint256 start = gasleft();
        (bool done,) = address(proofs).staticcall(data);
        uint256 used = start - gasleft();
        assertTrue(done, name);
        emit Gas(name, c.proof.length, _calldataGas(data), used);
        bytes memory program = files.parseJsonBytes(json, ".program");
        emit Gas("program", program.length, 0, 0);
    }

    /// @dev That changes of the bytes which the Rust code rejects are rejected, every so many of them.
    function _reject(string memory name, uint256 step) private {
        string memory json = _read(name);
        Case memory c = _linked(name);
        uint256[] memory places = files.parseJsonUintArray(json, ".places");
        for (uint256 i = 0; i < places.length; i += step) {
            c.proof[places[i]] ^= 0x01;
            assertTrue(!_accepted(c), "a byte of the proof");
            c.proof[places[i]] ^= 0x01;
        }
        assertTrue(_accepted(c), "the proof as it was");
        bytes32 before = 0;
        for (uint256 i = 0; i < files.parseJsonUint(json, ".links"); ++i) {
            before = _rejectLink(json, i, before, step);
        }
    }

    function _rejectLink(string memory json, uint256 number, bytes32 before, uint256 step)
        private
        returns (bytes32 chain)
    {
        string memory key = _link(number);
        bytes32 program = proofs.add(files.parseJsonBytes(json, string.concat(key, "Program")));
        bytes memory given = files.parseJsonBytes(json, string.concat(key, "Given"));
        bytes memory opening = files.parseJsonBytes(json, string.concat(key, "Opening"));
        uint256[] memory places = files.parseJsonUintArray(json, string.concat(key, "Places"));
        for (uint256 i = 0; i < places.length; i += step) {
            opening[places[i]] ^= 0x01;
            assertTrue(!_links(program, before, given, opening), "a byte of a link's opening");
            opening[places[i]] ^= 0x01;
        }
        places = files.parseJsonUintArray(json, string.concat(key, "GivenPlaces"));
        for (uint256 i = 0; i < places.length; ++i) {
            given[places[i]] ^= 0x01;
            assertTrue(!_links(program, before, given, opening), "a byte of a link");
            given[places[i]] ^= 0x01;
        }
        assertTrue(_links(program, before, given, opening), "the link as it was");
        return proofs.chainOf(program, before);
    }

    function _links(bytes32 program, bytes32 before, bytes memory given, bytes memory opening)
        private
        returns (bool)
    {
        try proofs.link(program, before, given, opening) returns (bytes32, bytes32) {
            return true;
        } catch {
            return false;
        }
    }

    function _accepted(Case memory c) private view returns (bool) {
        try proofs.check(c.program, c.chain, c.given, c.proof) {
            return true;
        } catch {
            return false;
        }
    }

    /// @dev A case whose programs are stored and whose links are checked.
    function _linked(string memory name) private returns (Case memory c) {
        string memory json = _read(name);
        c = _case(json);
        c.program = proofs.add(files.parseJsonBytes(json, ".program"));
        for (uint256 i = 0; i < files.parseJsonUint(json, ".links"); ++i) {
            string memory key = _link(i);
            bytes32 program = proofs.add(files.parseJsonBytes(json, string.concat(key, "Program")));
            bytes memory given = files.parseJsonBytes(json, string.concat(key, "Given"));
            bytes memory opening = files.parseJsonBytes(json, string.concat(key, "Opening"));
            bytes memory data =
                abi.encodeCall(PrivateProofs.link, (program, c.chain, given, opening));
            uint256 start = gasleft();
            (bool done, bytes memory found) = address(proofs).call(data);
            uint256 used = start - gasleft();
            assertTrue(done, "a link");
            emit Gas("link", opening.length, _calldataGas(data), used);
            bytes32 commitment;
            (c.chain, commitment) = abi.decode(found, (bytes32, bytes32));
            assertTrue(proofs.linked(c.chain, commitment), "kept");
        }
    }

    function _case(string memory json) private pure returns (Case memory c) {
        c.given = files.parseJsonBytes(json, ".given");
        c.proof = files.parseJsonBytes(json, ".proof");
    }

    function _link(uint256 number) private pure returns (string memory) {
        return number == 0 ? ".link0" : ".link1";
    }

    function _read(string memory name) private view returns (string memory) {
        return read(string.concat("programs/", name));
    }

    function _calldataGas(bytes memory data) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < data.length; ++i) {
            sum += data[i] == 0 ? 4 : 16;
        }
    }
}

/// @dev Proofs together with their links, in one call.
contract ProofsWithLinksTest is Vectors {
    struct Whole {
        bytes32 program;
        bytes32 chain;
        Link[] links;
        bytes given;
        bytes proof;
    }

    event Gas(string what, uint256 dataBytes, uint256 calldataGas, uint256 executionGas);

    /// @dev What one transaction may take.
    uint256 private constant MOST_GAS = 30_000_000;

    PrivateProofs private proofs;

    function setUp() public {
        proofs = new PrivateProofs(new Openings());
    }

    function test_AllAreAcceptedAtOnceAndLinksAreKept() public {
        string[5] memory names = ["linear", "fraud", "token_risk", "parameters", "mlp"];
        for (uint256 i = 0; i < names.length; ++i) {
            Whole memory w = _whole(names[i]);
            uint256 first = _take(string.concat(names[i], ", links included"), w);
            for (uint256 j = 0; j < w.links.length; ++j) {
                w.links[j].opening = "";
            }
            // The same again: what is kept is not looked at.
            uint256 again = _take(string.concat(names[i], ", links kept"), w);
            assertTrue(again < first, "links are checked once");
            assertTrue(first <= MOST_GAS, "one transaction holds it");
        }
    }

    function test_HalfOfTheLinksMayBeKept() public {
        Whole memory w = _whole("parameters");
        Link memory head = w.links[0];
        (bytes32 chain, bytes32 commitment) = proofs.link(head.program, 0, head.given, head.opening);
        assertTrue(commitment == head.commitment, "what it leads to");
        w.links[0].opening = "";
        _run(w);
        assertTrue(proofs.linked(chain, commitment), "the first");
        assertTrue(proofs.linked(w.chain, w.links[1].commitment), "the second");
    }

    function test_LinksInAnotherOrderAreRefused() public {
        Whole memory w = _whole("parameters");
        (w.links[0], w.links[1]) = (w.links[1], w.links[0]);
        (bool done, bytes memory why) = _try(w);
        assertTrue(!done && bytes4(why) == PrivateProofs.NotLinked.selector, "its parent");
        // Nor when all of them are kept in theirs.
        (w.links[0], w.links[1]) = (w.links[1], w.links[0]);
        _run(w);
        (w.links[0], w.links[1]) = (w.links[1], w.links[0]);
        (done,) = _try(w);
        assertTrue(!done, "in another order");
    }

    function test_AMissingLinkIsAnotherChain() public {
        Whole memory w = _whole("linear");
        w.links = new Link[](0);
        vm.expectRevert(abi.encodeWithSelector(PrivateProofs.OtherChain.selector, bytes32(0)));
        _run(w);
    }

    function test_ProgramsThatTheCallerDoesNotTrustAreAnotherChain() public {
        Whole memory w = _whole("fraud");
        bytes32 own = w.chain;
        w.chain = bytes32(uint256(1));
        vm.expectRevert(abi.encodeWithSelector(PrivateProofs.OtherChain.selector, own));
        _run(w);
    }

    function test_AForgedLinkIsRefusedAndNothingIsKept() public {
        Whole memory w = _whole("fraud");
        bytes memory opening = w.links[0].opening;
        opening[opening.length / 2] ^= 0x01;
        (bool done,) = _try(w);
        assertTrue(!done, "a changed opening");
        assertTrue(!proofs.linked(w.chain, w.links[0].commitment), "not kept");
        opening[opening.length / 2] ^= 0x01;
        bytes32 commitment = w.links[0].commitment;
        w.links[0].commitment = bytes32(uint256(7));
        vm.expectRevert(
            abi.encodeWithSelector(PrivateProofs.NotLinked.selector, bytes32(uint256(7)))
        );
        _run(w);
        // It is not what the proof opens, though it is kept for another one.
        Whole memory other = _whole("linear");
        _run(other);
        w.links = other.links;
        w.chain = other.chain;
        (done,) = _try(w);
        assertTrue(!done, "the link of another key");
        assertTrue(!proofs.linked(w.chain, commitment), "not kept");
    }

    function test_AForgedProofKeepsNoLink() public {
        Whole memory w = _whole("fraud-lie");
        vm.expectRevert(abi.encodeWithSelector(HidingOpening.ClaimDoesNotHold.selector));
        _run(w);
        assertTrue(!proofs.linked(w.chain, w.links[0].commitment), "not kept");
    }

    function _take(string memory what, Whole memory w) private returns (uint256 used) {
        uint256 start = gasleft();
        _run(w);
        used = start - gasleft();
        emit Gas(what, w.proof.length, 0, used);
    }

    function _run(Whole memory w) private {
        proofs.checkWithLinks(w.program, w.chain, w.links, w.given, w.proof);
    }

    function _try(Whole memory w) private returns (bool, bytes memory) {
        return address(proofs)
            .call(
                abi.encodeCall(
                    PrivateProofs.checkWithLinks, (w.program, w.chain, w.links, w.given, w.proof)
                )
            );
    }

    /// @dev A vector whose programs are stored, and none of whose links is checked.
    function _whole(string memory name) private returns (Whole memory w) {
        string memory json = read(string.concat("programs/", name));
        w.program = proofs.add(files.parseJsonBytes(json, ".program"));
        w.given = files.parseJsonBytes(json, ".given");
        w.proof = files.parseJsonBytes(json, ".proof");
        w.links = new Link[](files.parseJsonUint(json, ".links"));
        for (uint256 i = 0; i < w.links.length; ++i) {
            string memory key = i == 0 ? ".link0" : ".link1";
            Link memory next = w.links[i];
            next.program = proofs.add(files.parseJsonBytes(json, string.concat(key, "Program")));
            next.commitment = files.parseJsonBytes32(json, string.concat(key, "Commitment"));
            next.given = files.parseJsonBytes(json, string.concat(key, "Given"));
            next.opening = files.parseJsonBytes(json, string.concat(key, "Opening"));
            w.chain = proofs.chainOf(next.program, w.chain);
        }
    }
}

/// @dev Programs with a way to read them.
contract Loaded is Programs {
    function read(bytes32 digest) external view returns (bytes memory) {
        return load(digest);
    }
}
