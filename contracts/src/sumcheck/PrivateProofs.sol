// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Machine} from "./Machine.sol";
import {Openings} from "./Openings.sol";
import {Programs} from "./Programs.sol";

/// @dev A link as `checkWithLinks` takes it: its program, what `link` is given of it, and what it leads to.
struct Link {
    bytes32 program;
    bytes32 commitment;
    bytes given;
    bytes opening;
}

/// @title Checks proofs of the private mode under keys of the profile `evm`.
/// @dev Who asks names programs by their digests, and so the key that they were made of. A proof opens an
/// epoch, to which links lead from the key. A link is checked once, and what it leads to is kept under the
/// programs by which it was checked: one from a key stands for itself, one from an epoch for links for the
/// pair of both. The caller of a check MUST name the programs that it trusts, and take none from whoever
/// brings the proof.
contract PrivateProofs is Programs {
    /// @dev The commitment that is opened was not reached by links that these programs have checked.
    error NotLinked(bytes32 opened);

    /// @dev The programs of the links make up another chain than the caller trusts.
    error OtherChain(bytes32 chain);

    /// @notice A commitment to the weights of a key was reached from it by links.
    event Linked(bytes32 indexed chain, bytes32 indexed commitment);

    /// @notice What follows openings.
    Openings public immutable OPENINGS;

    mapping(bytes32 chain => mapping(bytes32 commitment => bool)) private _linked;

    constructor(Openings openings) {
        OPENINGS = openings;
    }

    /// @notice Checks a link and keeps what it leads to. Anyone may bring one.
    /// @param program The digest of the program of such links.
    /// @param before The chain of the link's parent; zero where that is the key.
    /// @param given What the program takes from the caller: root, root of the fresh vector and w of the
    /// link, behind the same of the parent's with the digest of its own parent, where it is not the key.
    /// @param opening The link's opening.
    /// @return chain What stands for the programs by which the commitment was reached.
    /// @return commitment The digest of the commitment that the link leads to.
    function link(bytes32 program, bytes32 before, bytes calldata given, bytes calldata opening)
        external
        returns (bytes32 chain, bytes32 commitment)
    {
        return _link(program, before, given, opening);
    }

    /// @notice Checks the links that are not kept yet, keeps what they lead to, and checks the proof.
    /// Reverts, and says why, unless all are accepted; nothing is kept then.
    /// @param program The digest of the program of proofs.
    /// @param chain What stands for the programs of links, from `chainOf`. It is the caller's, like
    /// `program`; the programs that the links name are anybody's, and must make up this chain.
    /// @param links From the one whose parent is the key to the one that leads to what the proof opens.
    /// @param given As of `check`.
    /// @param proof As of `check`.
    function checkWithLinks(
        bytes32 program,
        bytes32 chain,
        Link[] calldata links,
        bytes calldata given,
        bytes calldata proof
    ) external {
        bytes32 reached = 0;
        for (uint256 i = 0; i < links.length; ++i) {
            reached = _reach(links[i], reached);
        }
        if (reached != chain) revert OtherChain(reached);
        _check(program, chain, given, proof);
    }

    /// @dev The chain behind a link, whose commitment is kept under it.
    function _reach(Link calldata next, bytes32 before) private returns (bytes32 chain) {
        chain = chainOf(next.program, before);
        if (_linked[chain][next.commitment]) return chain;
        _link(next.program, before, next.given, next.opening);
        if (!_linked[chain][next.commitment]) revert NotLinked(next.commitment);
    }

    function _link(bytes32 program, bytes32 before, bytes calldata given, bytes calldata opening)
        private
        returns (bytes32 chain, bytes32 commitment)
    {
        bytes32[4] memory slots = Machine.run(load(program), given, opening, OPENINGS);
        bytes32 parent = slots[3];
        if (before != 0 || parent != 0) {
            if (!_linked[before][parent]) revert NotLinked(parent);
        }
        chain = chainOf(program, before);
        commitment = slots[0];
        _linked[chain][commitment] = true;
        emit Linked(chain, commitment);
    }

    /// @notice Reverts, and says why, unless the proof is accepted.
    /// @param program The digest of the program of proofs.
    /// @param chain What stands for the programs of links, from `chainOf`.
    /// @param given What the program takes from the caller: the digest of the parent of the epoch's link,
    /// its root, root of the fresh vector and w; the statement, the inputs and the outputs.
    /// @param proof The proof from behind its links on.
    function check(bytes32 program, bytes32 chain, bytes calldata given, bytes calldata proof)
        external
        view
    {
        _check(program, chain, given, proof);
    }

    function _check(bytes32 program, bytes32 chain, bytes calldata given, bytes calldata proof)
        private
        view
    {
        bytes32 opened = Machine.run(load(program), given, proof, OPENINGS)[0];
        if (!_linked[chain][opened]) revert NotLinked(opened);
    }

    /// @return Whether links that these programs have checked lead to a commitment.
    function linked(bytes32 chain, bytes32 commitment) external view returns (bool) {
        return _linked[chain][commitment];
    }

    /// @return What stands for the programs of a chain of links: the last one's, behind those before it.
    function chainOf(bytes32 program, bytes32 before) public pure returns (bytes32) {
        return before == 0 ? program : keccak256(abi.encode(before, program));
    }
}
