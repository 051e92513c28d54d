// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Errors} from "../Errors.sol";
import {Events} from "../Events.sol";
import {Assurance} from "./Assurance.sol";
import {Router} from "./Router.sol";
import {Claim, StatementVerifier} from "./StatementVerifier.sol";

/// @notice What stands behind a selector. It never changes but for `retired`.
/// @param adapter Who is asked.
/// @param gasCap What it is given for an answer; the caller has to have so much.
/// @param assurance What its word is worth (`Assurance`).
/// @param retired Whether it has ended.
/// @param specificationDigest keccak256 of the text that says what it accepts.
/// @param system The name of its proof system, as statements have it.
struct Verifier {
    address adapter;
    uint64 gasCap;
    uint8 assurance;
    bool retired;
    bytes32 specificationDigest;
    string system;
}

/// @title The one door to the verifiers of all proof systems.
/// @notice A model's terms name a verifier by its selector, for ever. What stands behind one was put there once,
/// and is not replaced: the owner can add others, and retire one, which then never verifies again.
/// @dev Adapters are not trusted with more than their own word. One that burns its gas, reverts, answers
/// anything but the selector of `verifyStatement` in 32 bytes, returns megabytes, or calls back, has not verified.
contract VerifierRouter is Router, Ownable2Step, ReentrancyGuardTransient {
    /// @notice Bytes of a proof system's name, at most: with its length it is one slot.
    uint256 public constant MAX_SYSTEM = 31;

    /// @notice Bytes of an adapter's reason that are handed on, at most.
    uint256 public constant MAX_REASON = 256;

    /// @dev What is done between looking at the gas and calling, and with the answer afterwards.
    uint256 private constant MARGIN = 10_000;
    /// @dev What the code of an account begins with that has delegated it (EIP-7702), and may do so anew.
    bytes3 private constant DELEGATED = 0xef0100;
    uint256 private constant DELEGATED_SIZE = 23;

    mapping(bytes4 selector => Verifier) private _verifiers;

    constructor(address owner) Ownable(owner) {}

    // -- what the owner does -------------------------------------------------------------------

    /// @notice Puts a verifier behind a selector that nothing ever stood behind.
    /// @param selector What terms of models name it by; not zero, which says that no contract checks.
    /// @param adapter A contract whose code cannot change.
    /// @param gasCap What it needs for the largest proof: no more than a transaction may take.
    function add(
        bytes4 selector,
        address adapter,
        uint64 gasCap,
        bytes32 specificationDigest,
        uint8 assurance,
        string calldata system
    ) external onlyOwner {
        require(selector != 0, Errors.ZeroSelector());
        require(_verifiers[selector].adapter == address(0), Errors.SelectorTaken(selector));
        require(_isContract(adapter), Errors.NotAVerifier(adapter));
        require(gasCap != 0, Errors.ZeroGasCap());
        require(specificationDigest != 0, Errors.ZeroSpecification());
        require(
            assurance >= Assurance.COMMITMENT && assurance <= Assurance.ZK_PRIVATE,
            Errors.BadAssurance(assurance)
        );
        uint256 length = bytes(system).length;
        require(length != 0, Errors.NoSystem());
        require(length <= MAX_SYSTEM, Errors.TooLong(length, MAX_SYSTEM));

        _verifiers[selector] = Verifier({
            adapter: adapter,
            gasCap: gasCap,
            assurance: assurance,
            retired: false,
            specificationDigest: specificationDigest,
            system: system
        });
        emit Events.VerifierAdded(selector, adapter, gasCap, specificationDigest, assurance, system);
    }

    /// @notice Ends a verifier, for ever. Its selector is not free again.
    function retire(bytes4 selector) external onlyOwner {
        _live(selector).retired = true;
        emit Events.VerifierRetired(selector);
    }

    // -- what anybody asks ---------------------------------------------------------------------

    /// @inheritdoc Router
    /// @dev The adapter may keep what it has checked. Nothing is kept here, and nobody is asked while somebody is.
    function verify(bytes4 selector, Claim calldata claim, bytes calldata proof)
        external
        nonReentrant
    {
        Verifier storage verifier = _live(selector);
        address adapter = verifier.adapter;
        require(adapter.code.length != 0, Errors.NotAVerifier(adapter));
        bytes memory asked = abi.encodeCall(StatementVerifier.verifyStatement, (claim, proof));
        (bool answered, bytes32 answer, uint256 size) =
            _ask(selector, adapter, verifier.gasCap, asked);
        if (!answered) revert Errors.VerifierReverted(selector, _reason(size));
        require(
            size == 32 && answer == bytes32(StatementVerifier.verifyStatement.selector),
            Errors.WrongAnswer(selector, size, answer)
        );
    }

    /// @inheritdoc Router
    function assuranceOf(bytes4 selector) external view returns (uint8) {
        return _live(selector).assurance;
    }

    /// @inheritdoc Router
    function systemOf(bytes4 selector) external view returns (string memory) {
        return _live(selector).system;
    }

    /// @return What stands behind a selector, or stood there until it was retired.
    function verifierOf(bytes4 selector) external view returns (Verifier memory) {
        return _known(selector);
    }

    // -- inside --------------------------------------------------------------------------------

    /// @dev Calls the adapter with the whole of its cap, or not at all: a call is given 63 of 64 parts of what is
    /// left at most, and who leaves too little could have a good proof fail, or a check cut short, as it likes.
    /// @return answered Whether it returned.
    /// @return answer The first word of what it returned, zeros where there is less. Meaningless where it reverted.
    /// @return size How many bytes it returned or reverted with, of which no more than a word was copied.
    function _ask(bytes4 selector, address adapter, uint256 cap, bytes memory asked)
        private
        returns (bool answered, bytes32 answer, uint256 size)
    {
        uint256 needed = cap + cap / 63 + MARGIN;
        uint256 left = gasleft();
        require(left >= needed, Errors.TooLittleGas(selector, left, needed));
        assembly ("memory-safe") {
            mstore(0, 0)
            answered := call(cap, adapter, 0, add(asked, 32), mload(asked), 0, 32)
            size := returndatasize()
            answer := mload(0)
        }
    }

    /// @dev The beginning of what the last call reverted with.
    function _reason(uint256 size) private pure returns (bytes memory reason) {
        reason = new bytes(size < MAX_REASON ? size : MAX_REASON);
        assembly ("memory-safe") {
            returndatacopy(add(reason, 32), 0, mload(reason))
        }
    }

    /// @dev Whether there is code at an address that stays what it is.
    function _isContract(address adapter) private view returns (bool) {
        bytes memory code = adapter.code;
        if (code.length == 0) return false;
        return code.length != DELEGATED_SIZE || bytes3(code) != DELEGATED;
    }

    function _live(bytes4 selector) private view returns (Verifier storage verifier) {
        verifier = _known(selector);
        require(!verifier.retired, Errors.VerifierIsRetired(selector));
    }

    function _known(bytes4 selector) private view returns (Verifier storage verifier) {
        verifier = _verifiers[selector];
        require(verifier.adapter != address(0), Errors.UnknownVerifier(selector));
    }
}
