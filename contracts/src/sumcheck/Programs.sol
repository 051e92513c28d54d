// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Programs in the code of contracts, where reading is cheap; named by the digest of their bytes.
/// @dev A program is what a verifier does for one key (Machine.sol). Its bytes are cut into chunks that fit a
/// contract's code, each behind a byte that stops whoever calls it.
abstract contract Programs {
    /// @dev There is no program of this digest.
    error NoProgram(bytes32 digest);

    /// @dev The program has no bytes, or a chunk of it is larger than code may be.
    error NotAProgram();

    /// @dev A chunk could not be stored.
    error NotStored();

    /// @notice A program is there, for whoever asks for proofs by its digest.
    event ProgramAdded(bytes32 indexed digest, uint256 length);

    /// @dev Bytes of code that a contract may have, less the byte that stops.
    uint256 private constant CHUNK = 24_575;

    mapping(bytes32 digest => address[] chunks) private _chunks;

    /// @notice Stores a program. Anyone may, and what is there stays as it is: the digest says all of it.
    function add(bytes calldata program) external returns (bytes32 digest) {
        if (program.length == 0) revert NotAProgram();
        digest = keccak256(program);
        address[] storage chunks = _chunks[digest];
        if (chunks.length > 0) return digest;
        for (uint256 from = 0; from < program.length; from += CHUNK) {
            uint256 end = from + CHUNK < program.length ? from + CHUNK : program.length;
            chunks.push(_store(program[from:end]));
        }
        emit ProgramAdded(digest, program.length);
    }

    /// @return Whether there is a program of this digest.
    function has(bytes32 digest) public view returns (bool) {
        return _chunks[digest].length > 0;
    }

    /// @return program The bytes of a program, with a word of zeros behind them.
    function load(bytes32 digest) internal view returns (bytes memory program) {
        address[] storage chunks = _chunks[digest];
        if (chunks.length == 0) revert NoProgram(digest);
        uint256 length = (chunks.length - 1) * CHUNK + chunks[chunks.length - 1].code.length - 1;
        program = new bytes(length + 32);
        for (uint256 i = 0; i < chunks.length; ++i) {
            address chunk = chunks[i];
            uint256 from = i * CHUNK;
            uint256 part = length - from < CHUNK ? length - from : CHUNK;
            assembly ("memory-safe") {
                extcodecopy(chunk, add(add(program, 32), from), 1, part)
            }
        }
    }

    /// @dev A contract whose code is a byte that stops and these ones.
    function _store(bytes calldata part) private returns (address chunk) {
        // Copies what lies behind its own eleven bytes, and gives it back:
        // PUSH1 0, PUSH1 11, CODESIZE less 11 bytes.
        bytes memory creation = abi.encodePacked(hex"600b5981380380925939f3", hex"00", part);
        assembly ("memory-safe") {
            chunk := create(0, add(creation, 32), mload(creation))
        }
        if (chunk == address(0)) revert NotStored();
    }
}
