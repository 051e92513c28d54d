// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Errors} from "../Errors.sol";
import {Events} from "../Events.sol";
import {
    CommitmentKinds,
    Registration,
    RegistrationLib,
    Terms,
    TokenPrice,
    Version
} from "./Registration.sol";
import {VersionRecords} from "./VersionRecords.sol";

/// @title Which models there are, whose they are, and what a call of each costs.
/// @notice A version of a model is named by its model commitment, and a model by that of its first version.
/// A commitment belongs to the model under which it was registered first, for ever. A registration is
/// signed by the model's owner and was sealed before: its digest stood on the chain for `SEAL_AGE` while
/// nobody else could see what it is of. Who sees the commitment in the registration itself has no seal
/// of their own, and comes too late.
/// @dev Nobody has power over the models of others, and the contract holds no money. It says who was first, not
/// who made a model: a commitment that was published before it was registered is anybody's.
contract ModelRegistry is EIP712 {
    using RegistrationLib for Registration;

    /// @notice How long a digest is sealed before its registration is taken, in seconds: longer than a
    /// registration waits for its block, and than a reorganisation that could be foreseen.
    uint256 public constant SEAL_AGE = 60;

    /// @notice Bytes of the metadata's URI, at most.
    uint256 public constant MAX_URI = 256;

    /// @notice Bytes of a content id, at most. A CIDv1 with SHA-256 has 36.
    uint256 public constant MAX_CONTENT_ID = 64;

    /// @notice Tokens whose prices are set together, at most.
    uint256 public constant MAX_PRICES = 8;

    struct Entry {
        address record;
        uint32 number;
        bool active;
    }

    struct Model {
        address owner;
        uint32 versions;
    }

    struct Price {
        uint128 amount;
        bool accepted;
    }

    mapping(bytes32 digest => uint256) private _sealedAt;
    mapping(bytes32 commitment => Entry) private _entries;
    mapping(bytes32 model => Model) private _models;
    mapping(bytes32 model => address) private _offeredTo;
    mapping(bytes32 commitment => mapping(address token => Price)) private _prices;

    constructor() EIP712("inferproof registry", "1") {}

    // -- registering ---------------------------------------------------------------------------

    /// @notice Keeps when a digest was first seen. Anyone may seal any; one that is sealed stays as it is.
    /// @param digest That of a registration, from `digestOf` or computed alike.
    function seal(bytes32 digest) external {
        if (_sealedAt[digest] != 0) return;
        _sealedAt[digest] = block.timestamp;
        emit Events.Sealed(digest, block.timestamp + SEAL_AGE);
    }

    /// @notice Registers a model with its first version, or another version of it. Anyone may bring what the
    /// owner signed, and nothing else than that is registered. The version is active from now on.
    /// @param registration Commitment, model, owner, terms and prices.
    /// @param signature The owner's over `digestOf(registration)`: of a key, or of a contract (EIP-1271).
    function register(Registration calldata registration, bytes calldata signature) external {
        bytes32 commitment = registration.commitment;
        bytes32 model = registration.model;
        _checkTerms(registration);
        address taken = _entries[commitment].record;
        if (taken != address(0)) {
            revert Errors.CommitmentTaken(commitment, VersionRecords.modelOf(taken));
        }
        Model memory owned = _models[model];
        if (model == commitment) {
            owned.owner = registration.owner;
        } else {
            require(owned.owner != address(0), Errors.UnknownModel(model));
            require(
                owned.owner == registration.owner, Errors.NotModelOwner(model, registration.owner)
            );
        }
        _checkSigned(registration, signature);

        ++owned.versions;
        _models[model] = owned;
        address record = VersionRecords.store(commitment, model, registration.terms);
        _entries[commitment] = Entry({record: record, number: owned.versions, active: true});
        emit Events.VersionRegistered(model, commitment, owned.owner, owned.versions);
        _setPrices(commitment, registration.prices);
    }

    // -- what an owner may change --------------------------------------------------------------

    /// @notice Sets what a call to a version costs in some tokens; in others it stays what it was.
    function setPrices(bytes32 commitment, TokenPrice[] calldata prices) external {
        _checkOwner(modelOf(commitment));
        _checkPrices(prices);
        _setPrices(commitment, prices);
    }

    /// @notice Offers a version, or ends that.
    function setActive(bytes32 commitment, bool active) external {
        _checkOwner(modelOf(commitment));
        _entries[commitment].active = active;
        emit Events.ActiveSet(commitment, active);
    }

    /// @notice Offers a model with all its versions to somebody, who has to accept it. A later offer takes
    /// the place of this one; an offer to the zero address is none.
    function transferModel(bytes32 model, address to) external {
        _checkOwner(model);
        _offeredTo[model] = to;
        emit Events.ModelOffered(model, msg.sender, to);
    }

    /// @notice Makes a model that was offered to the caller the caller's.
    function acceptModel(bytes32 model) external {
        require(_offeredTo[model] == msg.sender, Errors.NotOffered(model, msg.sender));
        address from = _models[model].owner;
        delete _offeredTo[model];
        _models[model].owner = msg.sender;
        emit Events.ModelTransferred(model, from, msg.sender);
    }

    // -- questions -----------------------------------------------------------------------------

    /// @return A version, by its commitment.
    function versionOf(bytes32 commitment) external view returns (Version memory) {
        Entry memory entry = _entry(commitment);
        Version memory found = VersionRecords.load(entry.record);
        found.number = entry.number;
        found.active = entry.active;
        return found;
    }

    /// @notice What of a version a contract needs that has its proofs checked.
    /// @return active Whether the version is offered.
    /// @return verifier As its terms have it, like the others.
    function proofTermsOf(bytes32 commitment)
        external
        view
        returns (bool active, bytes4 verifier, bytes32 verifyingKey, uint8 inputKinds)
    {
        Entry memory entry = _entry(commitment);
        (verifier, verifyingKey, inputKinds) = VersionRecords.proofTerms(entry.record);
        return (entry.active, verifier, verifyingKey, inputKinds);
    }

    /// @return The model that a version belongs to.
    function modelOf(bytes32 commitment) public view returns (bytes32) {
        return VersionRecords.modelOf(_entry(commitment).record);
    }

    /// @notice Whose a model is, by the commitment of its first version.
    /// @return owner Who it belongs to.
    /// @return offeredTo Who may accept it; zero where nobody may.
    /// @return versions How many it has.
    function ownership(bytes32 model)
        external
        view
        returns (address owner, address offeredTo, uint256 versions)
    {
        Model memory found = _models[model];
        require(found.owner != address(0), Errors.UnknownModel(model));
        return (found.owner, _offeredTo[model], found.versions);
    }

    /// @return amount What a call costs, in the token's atomic units.
    /// @return accepted Whether the version takes the token; what is not registered takes none.
    function priceOf(bytes32 commitment, address token)
        external
        view
        returns (uint256 amount, bool accepted)
    {
        Price memory found = _prices[commitment][token];
        return (found.amount, found.accepted);
    }

    /// @return When a digest was sealed, in Unix seconds; zero where it was not.
    function sealedAt(bytes32 digest) external view returns (uint256) {
        return _sealedAt[digest];
    }

    /// @return What the owner signs: the EIP-712 digest of a registration on this chain, for this contract.
    function digestOf(Registration calldata registration) public view returns (bytes32) {
        return _hashTypedDataV4(registration.structHash());
    }

    // -- inside --------------------------------------------------------------------------------

    function _checkTerms(Registration calldata registration) private view {
        Terms calldata terms = registration.terms;
        require(registration.commitment != 0, Errors.ZeroCommitment());
        require(terms.verifyingKey != 0, Errors.ZeroVerifyingKey());
        _checkKinds(terms.inputKinds);
        _checkKinds(terms.outputKinds);
        uint256 uri = bytes(terms.metadataUri).length;
        require(uri <= MAX_URI, Errors.TooLong(uri, MAX_URI));
        require((uri == 0) == (terms.metadataDigest == 0), Errors.MetadataIncomplete());
        uint256 id = terms.contentId.length;
        require(id <= MAX_CONTENT_ID, Errors.TooLong(id, MAX_CONTENT_ID));
        _checkPrices(registration.prices);
    }

    function _checkKinds(uint8 kinds) private pure {
        require(kinds != 0 && kinds & ~CommitmentKinds.ALL == 0, Errors.BadKinds(kinds));
    }

    function _checkPrices(TokenPrice[] calldata prices) private view {
        require(prices.length <= MAX_PRICES, Errors.TooLong(prices.length, MAX_PRICES));
        for (uint256 i = 0; i < prices.length; ++i) {
            address token = prices[i].token;
            // One that is not taken any more may have destroyed itself.
            require(!prices[i].accepted || token.code.length != 0, Errors.NotAToken(token));
        }
    }

    /// @dev Whether the owner signed this, in time, and when it was sealed.
    function _checkSigned(Registration calldata registration, bytes calldata signature)
        private
        view
    {
        uint256 deadline = registration.deadline;
        require(block.timestamp <= deadline, Errors.RegistrationExpired(deadline));
        bytes32 digest = digestOf(registration);
        uint256 since = _sealedAt[digest];
        require(since != 0, Errors.NotSealed(digest));
        require(block.timestamp >= since + SEAL_AGE, Errors.SealTooYoung(since + SEAL_AGE));
        require(
            SignatureChecker.isValidSignatureNowCalldata(registration.owner, digest, signature),
            Errors.BadRegistrationSignature(registration.owner)
        );
    }

    function _checkOwner(bytes32 model) private view {
        address owner = _models[model].owner;
        require(owner != address(0), Errors.UnknownModel(model));
        require(owner == msg.sender, Errors.NotModelOwner(model, msg.sender));
    }

    function _setPrices(bytes32 commitment, TokenPrice[] calldata prices) private {
        for (uint256 i = 0; i < prices.length; ++i) {
            TokenPrice calldata next = prices[i];
            _prices[commitment][next.token] =
                Price({amount: next.accepted ? next.amount : 0, accepted: next.accepted});
            emit Events.PriceSet(
                commitment, next.token, next.accepted ? next.amount : 0, next.accepted
            );
        }
    }

    function _entry(bytes32 commitment) private view returns (Entry memory entry) {
        entry = _entries[commitment];
        require(entry.record != address(0), Errors.UnknownVersion(commitment));
    }
}
