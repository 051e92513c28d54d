// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Claim, HidingOpening} from "../../src/sumcheck/HidingOpening.sol";
import {KeccakTranscript} from "../../src/sumcheck/KeccakTranscript.sol";
import {KoalaBear} from "../../src/sumcheck/KoalaBear.sol";
import {LinearForms, Term} from "../../src/sumcheck/LinearForms.sol";
import {
    LaterCode,
    Mask,
    OpeningShape,
    Place,
    Queries,
    VectorShape
} from "../../src/sumcheck/OpeningShape.sol";
import {ProofReader} from "../../src/sumcheck/ProofReader.sol";
import {Vectors} from "./Vectors.sol";

/// @dev The library from outside, as a contract that verifies has it.
contract OpeningCalls {
    function verify(
        OpeningShape memory shape,
        Claim memory claim,
        bytes calldata opening,
        uint256 state
    ) external pure returns (uint256) {
        return HidingOpening.verify(shape, claim, opening, state);
    }
}

contract HidingOpeningTest is Vectors {
    struct Case {
        OpeningShape shape;
        Claim claim;
        bytes opening;
        uint256 state;
    }

    event Gas(uint256 proofBytes, uint256 calldataGas, uint256 executionGas);

    bytes32 private constant WITNESS = keccak256("inferproof/sumcheck/1/witness");
    OpeningCalls private calls;

    function setUp() public {
        calls = new OpeningCalls();
    }

    function test_OpeningsOfRustAreAccepted() public {
        string[3] memory names = ["opening-single", "opening-joint", "opening-two-codes"];
        for (uint256 i = 0; i < names.length; ++i) {
            string memory json = read(names[i]);
            Case memory c = _case(json);
            uint256 start = gasleft();
            uint256 state = _verify(c);
            uint256 used = start - gasleft();
            emit Gas(c.opening.length, _calldataGas(c.opening), used);
            // What is drawn next is what Rust draws, so everything was absorbed alike.
            (, uint256 next) = KeccakTranscript.challenge(state);
            assertEq(next, elements(json, ".after")[0]);
        }
    }

    function test_AVerifierIsNoLargerThanAContractMayBe() public view {
        assertTrue(address(calls).code.length <= 24_576, "EIP-170");
    }

    function test_ChangesOfAnyPartAreRejectedAsByRust() public view {
        string memory json = read("opening-joint");
        Case memory c = _case(json);
        uint256[] memory places = files.parseJsonUintArray(json, ".places");
        assertTrue(places.length > 50, "all parts");
        for (uint256 i = 0; i < places.length; ++i) {
            bytes1 before = c.opening[places[i]];
            c.opening[places[i]] = before ^ 0x01;
            assertTrue(!_accepted(c), "a changed byte is accepted");
            c.opening[places[i]] = before;
        }
        assertTrue(_accepted(c), "the opening as it was");
    }

    function test_AnotherClaimIsRejected() public {
        Case memory c = _case(read("opening-joint"));
        uint256 value = c.claim.value;
        c.claim.value = value ^ 1 << 51;
        assertTrue(!_accepted(c), "the value is bound");
        c.claim.value = value;
        for (uint256 i = 0; i < c.claim.terms.length; ++i) {
            // Terms are not absorbed: the caller draws or fixes them before. Here the claim fails by itself.
            uint256 weight = c.claim.terms[i].values[0];
            c.claim.terms[i].values[0] = weight ^ 1;
            vm.expectRevert(abi.encodeWithSelector(HidingOpening.ClaimDoesNotHold.selector));
            _verify(c);
            c.claim.terms[i].values[0] = weight;
        }
        for (uint256 i = 0; i < c.claim.roots.length; ++i) {
            c.claim.roots[i] ^= bytes32(uint256(1));
            assertTrue(!_accepted(c), "the roots are bound");
            c.claim.roots[i] ^= bytes32(uint256(1));
        }
        c.state ^= 1;
        assertTrue(!_accepted(c), "what was absorbed before is bound");
        c.state ^= 1;
        assertTrue(_accepted(c), "the claim as it was");
    }

    function test_BytesMissingAndLeftOverAreRefusedByName() public {
        Case memory c = _case(read("opening-single"));
        bytes memory opening = c.opening;
        c.opening = bytes.concat(opening, hex"00");
        vm.expectRevert(abi.encodeWithSelector(ProofReader.TooLong.selector, 1));
        _verify(c);
        uint256[3] memory lengths = [0, uint256(61), opening.length - 1];
        for (uint256 i = 0; i < lengths.length; ++i) {
            c.opening = new bytes(lengths[i]);
            for (uint256 j = 0; j < lengths[i]; ++j) {
                c.opening[j] = opening[j];
            }
            vm.expectRevert(abi.encodeWithSelector(ProofReader.TooShort.selector));
            _verify(c);
        }
    }

    function test_ElementsThatAreNotCanonicalAreRefusedByName() public {
        Case memory c = _case(read("opening-single"));
        // p for the first coefficient of the first value.
        c.opening[0] = 0x01;
        c.opening[1] = 0x00;
        c.opening[2] = 0x00;
        c.opening[3] = 0x7f;
        vm.expectRevert(abi.encodeWithSelector(KoalaBear.NotCanonical.selector));
        _verify(c);
        // And for the first of an opened leaf, the ninth part of the opening.
        c = _case(read("opening-single"));
        uint256 leaf = files.parseJsonUintArray(read("opening-single"), ".places")[24];
        c.opening[leaf] = 0x01;
        c.opening[leaf + 1] = 0x00;
        c.opening[leaf + 2] = 0x00;
        c.opening[leaf + 3] = 0x7f;
        vm.expectRevert(abi.encodeWithSelector(KoalaBear.NotCanonical.selector));
        _verify(c);
        c = _case(read("opening-single"));
        c.claim.value |= uint256(KoalaBear.P) << 204 | 1 << 255;
        vm.expectRevert(abi.encodeWithSelector(KoalaBear.NotCanonical.selector));
        _verify(c);
    }

    function test_TermsAboutMasksOrNoColumnAreRefusedByName() public {
        Case memory c = _case(read("opening-joint"));
        // The first vector has three columns of its owner; the block of masks comes behind them.
        c.claim.terms[0].column = 3;
        vm.expectRevert(abi.encodeWithSelector(LinearForms.Unfit.selector, 0));
        _verify(c);
        c = _case(read("opening-joint"));
        c.claim.terms[1].vector = 3;
        vm.expectRevert(abi.encodeWithSelector(LinearForms.Unfit.selector, 1));
        _verify(c);
        c = _case(read("opening-joint"));
        c.claim.terms[0].values = new uint256[](3);
        vm.expectRevert(abi.encodeWithSelector(LinearForms.Unfit.selector, 0));
        _verify(c);
        c = _case(read("opening-joint"));
        c.claim.terms[3].first = type(uint256).max;
        vm.expectRevert(abi.encodeWithSelector(LinearForms.Unfit.selector, 3));
        _verify(c);
        c = _case(read("opening-joint"));
        c.claim.roots = new bytes32[](2);
        vm.expectRevert(abi.encodeWithSelector(HidingOpening.RootsMissing.selector, 2));
        _verify(c);
    }

    function _verify(Case memory c) private view returns (uint256) {
        return calls.verify(c.shape, c.claim, c.opening, c.state);
    }

    function _accepted(Case memory c) private view returns (bool) {
        try calls.verify(c.shape, c.claim, c.opening, c.state) returns (uint256) {
            return true;
        } catch {
            return false;
        }
    }

    function _calldataGas(bytes memory data) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < data.length; ++i) {
            sum += data[i] == 0 ? 4 : 16;
        }
    }

    function _case(string memory json) private pure returns (Case memory c) {
        c.shape = _shape(files.parseJsonUintArray(json, ".shape"));
        bytes memory roots = files.parseJsonBytes(json, ".roots");
        c.claim.roots = new bytes32[](roots.length / 32);
        for (uint256 i = 0; i < c.claim.roots.length; ++i) {
            bytes32 root;
            assembly ("memory-safe") {
                root := mload(add(roots, shl(5, add(i, 1))))
            }
            c.claim.roots[i] = root;
        }
        uint256[] memory heads = files.parseJsonUintArray(json, ".terms");
        uint256[] memory values = elements(json, ".values");
        c.claim.terms = new Term[](heads.length / 5);
        uint256 next;
        for (uint256 i = 0; i < c.claim.terms.length; ++i) {
            Term memory term = c.claim.terms[i];
            term.vector = heads[5 * i];
            term.column = heads[5 * i + 1];
            term.cells = heads[5 * i + 2] == 1;
            term.first = heads[5 * i + 3];
            term.scale = values[next++];
            term.values = new uint256[](heads[5 * i + 4]);
            for (uint256 j = 0; j < term.values.length; ++j) {
                term.values[j] = values[next++];
            }
        }
        assertEq(next, values.length);
        c.claim.value = elements(json, ".value")[0];
        c.opening = files.parseJsonBytes(json, ".opening");
        c.state = KeccakTranscript.absorbMemory(0, WITNESS, roots);
    }

    function _shape(uint256[] memory n) private pure returns (OpeningShape memory shape) {
        (shape.rows, shape.fold, shape.tails, shape.rate) = (n[0], n[1], n[2], n[3]);
        (shape.samples, shape.maskClaims) = (n[4], n[5]);
        shape.end = Queries(n[6], n[7]);
        shape.codes = new LaterCode[](n[8]);
        shape.vectors = new VectorShape[](n[9]);
        uint256 next = 10;
        for (uint256 i = 0; i < shape.codes.length; ++i) {
            Queries memory queries = Queries(n[next], n[next + 1]);
            shape.codes[i] = LaterCode(queries, n[next + 2], n[next + 3], n[next + 4]);
            next += 5;
        }
        for (uint256 i = 0; i < shape.vectors.length; ++i) {
            VectorShape memory vector = shape.vectors[i];
            (vector.fold, vector.slot, vector.salts) = (n[next], n[next + 1], n[next + 2]);
            vector.mask = Mask(n[next + 3]);
            vector.sampled = n[next + 4] == 1;
            vector.columns = new Place[](n[next + 5]);
            next += 6;
            for (uint256 j = 0; j < vector.columns.length; ++j) {
                vector.columns[j] = Place(n[next], n[next + 1]);
                next += 2;
            }
        }
        assertEq(next, n.length);
    }
}
