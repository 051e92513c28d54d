// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {Errors} from "../../src/Errors.sol";
import {LinkCall, LinkedProofs} from "../../src/verification/LinkedProofs.sol";
import {PrivateProof, PrivateProofsAdapter} from "../../src/verification/PrivateProofsAdapter.sol";
import {Claim} from "../../src/verification/StatementVerifier.sol";

/// @dev What the adapter makes of what is brought, before a proof is looked at: doubles stand where proofs are checked.
contract PrivateProofsPartsTest is Base {
    /// @dev Which steps may follow which, over all pairs and triples of a key's programs.
    function test_everyWalkEndsWhereTheSpecificationSays() public {
        Walks walks = new Walks();
        PrivateProofsAdapter walking = new PrivateProofsAdapter(LinkedProofs(address(walks)));
        uint256 taken = 0;
        for (uint256 walk = 1; walk < 8 ** 4; ++walk) {
            if (walks.tryWalk(walking, walk)) {
                assertTrue(allowed(walk), "a walk that is none");
                ++taken;
            } else {
                assertTrue(!allowed(walk), "a walk that was refused");
            }
        }
        // Of one link, two, three and four: 3; 27, 16; 146, 157; 1446, 1457.
        assertEq(taken, 1 + 2 + 2 + 2);
    }

    /// @dev What a program is given, of outputs of any shapes and values: put together by hand here.
    function testFuzz_whatAProgramIsGiven(
        bytes32 statement,
        bytes calldata numbers,
        int32[] calldata values,
        uint256 seed
    ) public {
        Given double = new Given();
        PrivateProofsAdapter asking = new PrivateProofsAdapter(LinkedProofs(address(double)));
        (Claim memory claim, PrivateProof memory p) = smallest(asking, 0);
        p.programs[0] = "proofs";
        p.before = abi.encodePacked(keccak256(abi.encode(seed)), new bytes(84));
        p.numbers = numbers;
        bytes memory words;
        (p.heads, claim.outputs, words) = outputsOf(values, seed);
        claim.statement = statement;
        claim.inputs = keccak256(numbers);
        claim.verifyingKey = asking.keyOf(p.programs, p.heads);
        asking.verifyStatement(claim, encoded(p));
        assertEq(double.given(), keccak256(bytes.concat(p.before, statement, numbers, words)));
        assertEq(double.chain(), bytes32("links"));
        assertEq(double.program(), bytes32("proofs"));
    }

    /// @dev Outputs of 1, 2, 3 … values, the last one with what is left of them.
    function outputsOf(int32[] calldata values, uint256 seed)
        private
        pure
        returns (bytes[] memory heads, bytes[] memory outputs, bytes memory words)
    {
        uint256 count = 0;
        for (uint256 all = 0; all < values.length; ++count) {
            all += count + 1;
        }
        (heads, outputs) = (new bytes[](count), new bytes[](count));
        uint256 from = 0;
        for (uint256 i = 0; i < count; ++i) {
            uint256 end = from + i + 1 < values.length ? from + i + 1 : values.length;
            heads[i] = outputs[i] = headOf(seed >> i, end - from);
            for (; from < end; ++from) {
                bytes8 value = reversed(bytes8(uint64(int64(values[from]))));
                outputs[i] = bytes.concat(outputs[i], value);
                words = bytes.concat(words, bytes4(value));
            }
        }
    }

    function test_theEdgesOfInt32() public {
        Given double = new Given();
        PrivateProofsAdapter asking = new PrivateProofsAdapter(LinkedProofs(address(double)));
        int64[6] memory values = [
            int64(type(int32).max),
            type(int32).min,
            int64(type(int32).max) + 1,
            int64(type(int32).min) - 1,
            type(int64).max,
            type(int64).min
        ];
        for (uint256 i = 0; i < values.length; ++i) {
            (Claim memory claim, PrivateProof memory p) = smallest(asking, values[i]);
            if (i > 1) {
                vm.expectRevert(abi.encodeWithSelector(Errors.OutputOutOfRange.selector, 0));
            }
            asking.verifyStatement(claim, encoded(p));
        }
    }

    function test_whatIsBroughtMakesUpTheClaim() public {
        Given double = new Given();
        PrivateProofsAdapter asking = new PrivateProofsAdapter(LinkedProofs(address(double)));
        (Claim memory claim, PrivateProof memory p) = smallest(asking, 7);
        asking.verifyStatement(claim, encoded(p));
        p.numbers = "other";
        vm.expectRevert(abi.encodeWithSelector(Errors.OtherInputs.selector, keccak256("other")));
        asking.verifyStatement(claim, encoded(p));
        (claim, p) = smallest(asking, 7);
        bytes32 own = claim.verifyingKey;
        claim.verifyingKey = 0;
        vm.expectRevert(abi.encodeWithSelector(Errors.OtherKey.selector, own));
        asking.verifyStatement(claim, encoded(p));
        (claim, p) = smallest(asking, 7);
        for (uint256 length = 115; length < 118; length += 2) {
            p.before = new bytes(length);
            vm.expectRevert(abi.encodeWithSelector(Errors.EpochLength.selector, length, 116));
            asking.verifyStatement(claim, encoded(p));
        }
        (claim, p) = smallest(asking, 7);
        claim.outputs[0] = bytes.concat(claim.outputs[0], bytes8(0));
        vm.expectRevert(abi.encodeWithSelector(Errors.OtherOutput.selector, 0));
        asking.verifyStatement(claim, encoded(p));
        (claim, p) = smallest(asking, 7);
        claim.outputs[0][4] ^= 0x01;
        vm.expectRevert(abi.encodeWithSelector(Errors.OtherOutput.selector, 0));
        asking.verifyStatement(claim, encoded(p));
        claim.outputs = new bytes[](0);
        vm.expectRevert(abi.encodeWithSelector(Errors.OutputCount.selector, 0, 1));
        asking.verifyStatement(claim, encoded(p));
    }

    // -- what tests start from -----------------------------------------------------------------

    function smallest(PrivateProofsAdapter asking, int64 value)
        private
        pure
        returns (Claim memory claim, PrivateProof memory p)
    {
        p.programs[3] = "links";
        p.links = new LinkCall[](1);
        p.links[0].program = "links";
        p.before = new bytes(116);
        p.heads = new bytes[](1);
        claim.outputs = new bytes[](1);
        p.heads[0] = headOf(3, 1);
        claim.outputs[0] = bytes.concat(p.heads[0], reversed(bytes8(uint64(value))));
        claim.inputs = keccak256("");
        claim.verifyingKey = asking.keyOf(p.programs, p.heads);
    }

    function encoded(PrivateProof memory p) private pure returns (bytes memory) {
        return abi.encode(p.programs, p.heads, p.before, p.numbers, p.links, p.proof);
    }

    /// @dev A name of any length and one to three dimensions, of which all but one are 1.
    function headOf(uint256 seed, uint256 size) private pure returns (bytes memory) {
        bytes memory name = new bytes(seed % 40);
        bytes8 many = reversed(bytes8(uint64(size)));
        bytes8 one = reversed(bytes8(uint64(1)));
        bytes memory dimensions = seed % 3 == 0
            ? abi.encodePacked(bytes4(0x01000000), many)
            : seed % 3 == 1
                ? abi.encodePacked(bytes4(0x02000000), one, many)
                : abi.encodePacked(bytes4(0x03000000), one, many, one);
        bytes4 length = bytes4(bytes1(uint8(name.length)));
        return abi.encodePacked(length, name, dimensions, bytes8(0x000000000000703f));
    }

    function reversed(bytes8 x) private pure returns (bytes8 y) {
        for (uint256 i = 0; i < 8; ++i) {
            y |= bytes8(x[i]) >> 8 * (7 - i);
        }
    }

    /// @dev Digits of a walk in base 8, the first step last: a digit is a step's place among the programs.
    function allowed(uint256 walk) private pure returns (bool) {
        uint256 kind = 1;
        bool linked = false;
        for (; walk != 0; walk >>= 3) {
            uint256 step = walk & 7;
            if (kind == 2) {
                if (step != 7) return false;
                kind = 3;
            } else {
                uint256 first = linked ? 4 : 1;
                if (kind == 3 || step < first || step > first + 2) return false;
                kind = step - first + 1;
            }
            linked = true;
        }
        return kind == 3;
    }
}

/// @dev Stands where proofs are checked, and takes all of them: what is left is which links lead where.
contract Walks is LinkedProofs {
    error AnotherChain(bytes32 chain);

    function checkWithLinks(
        bytes32 program,
        bytes32 chain,
        LinkCall[] calldata links,
        bytes calldata,
        bytes calldata
    ) external pure {
        bytes32 found = 0;
        for (uint256 i = 0; i < links.length; ++i) {
            found = i == 0 ? links[i].program : keccak256(abi.encode(found, links[i].program));
        }
        if (program != bytes32(uint256(1)) || found != chain) revert AnotherChain(chain);
    }

    /// @return Whether an adapter takes the links of a walk under a key whose programs are 1 to 8.
    function tryWalk(PrivateProofsAdapter adapter, uint256 walk) external returns (bool) {
        PrivateProof memory p;
        Claim memory claim;
        for (uint256 i = 0; i < 8; ++i) {
            p.programs[i] = bytes32(i + 1);
        }
        uint256 count = 0;
        for (uint256 rest = walk; rest != 0; rest >>= 3) {
            ++count;
        }
        p.links = new LinkCall[](count);
        for (uint256 i = 0; i < count; ++i) {
            p.links[i].program = p.programs[walk >> 3 * i & 7];
        }
        p.before = new bytes(116);
        claim.inputs = keccak256("");
        claim.verifyingKey = keccak256(abi.encode(p.programs, keccak256(abi.encode(p.heads))));
        bytes memory whole = abi.encode(p.programs, p.heads, p.before, p.numbers, p.links, p.proof);
        try adapter.verifyStatement(claim, whole) {
            return true;
        } catch (bytes memory why) {
            if (bytes4(why) == AnotherChain.selector) revert AnotherChain(0);
            return false;
        }
    }
}

/// @dev Stands where proofs are checked, and keeps what it was asked.
contract Given is LinkedProofs {
    bytes32 public program;
    bytes32 public chain;
    bytes32 public given;

    function checkWithLinks(
        bytes32 by,
        bytes32 behind,
        LinkCall[] calldata,
        bytes calldata what,
        bytes calldata
    ) external {
        (program, chain, given) = (by, behind, keccak256(what));
    }
}
