// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Errors} from "../Errors.sol";
import {Events} from "../Events.sol";
import {Statement, StatementLib} from "../StatementLib.sol";
import {AccessRules} from "../access/AccessRules.sol";
import {Market} from "../admin/Market.sol";
import {ModelRegistry} from "../registry/ModelRegistry.sol";
import {CommitmentKinds} from "../registry/Registration.sol";
import {Reputation} from "../reputation/Reputation.sol";
import {Outcome} from "../reputation/ReputationRules.sol";
import {Router} from "../verification/Router.sol";
import {Claim} from "../verification/StatementVerifier.sol";
import {Authorization, Balances, Permit} from "./Balances.sol";
import {Order} from "./Order.sol";
import {OrderLib, OrderStatus} from "./OrderLib.sol";
import {Outputs} from "./Outputs.sol";
import {ShareRules, Shares} from "./Shares.sol";

/// @notice What is kept of an order, in one slot under its id.
/// @param server Who has accepted it.
/// @param given Whether that server has the input, by its own word, or because it was posted in time.
/// @param ownModel Whether the buyer owned the model when it was accepted.
/// @param feeBps The market's fee when it was made.
/// @param bondFactor How many times its bond was staked.
/// @param verifier The selector that the version is registered with, which never changes.
struct Slot {
    OrderStatus status;
    address server;
    bool given;
    bool ownModel;
    uint16 feeBps;
    uint8 bondFactor;
    bytes4 verifier;
}

/// @title Money that waits for a proof.
/// @notice A buyer locks the price of one inference. A server accepts and stakes a bond; it delivers outputs and a
/// proof that the model gives them for the input, and is paid once the proof is verified here. After its time any
/// authorised server may deliver, and has half of its bond; after that time the buyer is refunded, with the bond.
/// @dev An order is handed over in full each time, and known by its digest, the id, which is the job id of the
/// statement. Of the statement, nothing comes from who delivers but the outputs. Every step in which others are
/// only told of an outcome is one that they cannot stop.
contract Escrow is Balances, EIP712 {
    using OrderLib for Order;

    /// @notice How long an order can take from when it is made to its refund.
    uint256 public constant LONGEST = 30 days;

    /// @dev What reputation and access are given to take note of an outcome, and the router to answer.
    uint256 private constant TELL_GAS = 100_000;
    /// @dev What is done around such a call.
    uint256 private constant MARGIN = 10_000;
    /// @dev Of statements whose input is disclosed.
    uint16 private constant STATEMENT_VERSION = 1;

    ModelRegistry public immutable REGISTRY;
    Router public immutable ROUTER;
    Reputation public immutable REPUTATION;
    AccessRules public immutable ACCESS;

    mapping(bytes32 id => Slot) private _slots;

    /// @param access Who says what a call costs; zero for the registry's price alone, without plans.
    constructor(
        Market market,
        ModelRegistry registry,
        Router router,
        Reputation reputation,
        AccessRules access
    ) Balances(market) EIP712("inferproof escrow", "1") {
        (REGISTRY, ROUTER, REPUTATION, ACCESS) = (registry, router, reputation, access);
    }

    // -- ordering ------------------------------------------------------------------------------

    /// @notice Makes an order of the caller's, who has approved its price.
    function request(Order calldata order) external nonReentrant {
        _checkBuyer(order);
        _open(order);
        _pull(order.token, order.price);
    }

    /// @notice Makes an order of the caller's, who has signed a permit over its price.
    function requestWithPermit(Order calldata order, Permit calldata permit) external nonReentrant {
        _checkBuyer(order);
        _open(order);
        _permit(order.token, order.price, permit);
        _pull(order.token, order.price);
    }

    /// @notice Makes an order of a buyer who has signed an EIP-3009 authorization over its price, whose nonce is the
    /// order's id. Anyone may send it, and nobody can make anything else of it.
    function requestWithAuthorization(Order calldata order, Authorization calldata authorization)
        external
        nonReentrant
    {
        // The buyer's signature is the token's to check, and a token may ignore a call about nothing.
        require(order.price != 0, Errors.NothingToAuthorize());
        bytes32 id = _open(order);
        _pullBy(authorization, order.token, order.buyer, order.price, id);
    }

    /// @notice Takes back an order that nobody has accepted. Its buyer calls it.
    function cancel(Order calldata order) external nonReentrant {
        _checkBuyer(order);
        (bytes32 id, Slot memory slot) = _load(order, OrderStatus.Open);
        slot.status = OrderStatus.Cancelled;
        _slots[id] = slot;
        _credit(order.buyer, order.token, order.price);
        emit Events.Cancelled(id);
        _restore(order, id);
    }

    // -- serving -------------------------------------------------------------------------------

    /// @notice Accepts an order: the caller stakes its bond from its balance, and owes a delivery.
    /// @param acknowledged Whether the caller has the input. Who has not seen it cannot know that there is a proof
    /// about it at all.
    function accept(Order calldata order, bool acknowledged) external nonReentrant {
        (bytes32 id, Slot memory slot) = _load(order, OrderStatus.Open);
        require(block.timestamp <= order.acceptBy, Errors.TooLate(order.acceptBy));
        require(
            order.server == address(0) || order.server == msg.sender,
            Errors.OtherServerChosen(order.server, msg.sender)
        );
        slot.bondFactor = _bondFactor();
        (address owner,,) = REGISTRY.ownership(REGISTRY.modelOf(order.model));
        slot.status = OrderStatus.Accepted;
        slot.server = msg.sender;
        slot.ownModel = owner == order.buyer;
        slot.given = slot.given || acknowledged;
        _slots[id] = slot;
        uint256 bond = _bond(order, slot);
        _debit(msg.sender, order.token, bond);
        emit Events.Accepted(id, msg.sender, bond, acknowledged);
    }

    /// @notice Says that the caller, which has accepted the order, has its input.
    function acknowledge(Order calldata order) external {
        (bytes32 id, Slot memory slot) = _load(order, OrderStatus.Accepted);
        require(slot.server == msg.sender, Errors.NotAcceptor(slot.server, msg.sender));
        require(block.timestamp <= order.inputBy, Errors.TooLate(order.inputBy));
        slot.given = true;
        _slots[id] = slot;
        emit Events.InputAcknowledged(id);
    }

    /// @notice Shows an order's input to everybody. Whoever has it may, also for rescuers; only until `inputBy` does
    /// it give the server the input.
    /// @param numbers What the input is quantised to, as the verifier takes it.
    function postInput(Order calldata order, bytes calldata numbers) external {
        bytes32 id = idOf(order);
        Slot memory slot = _slots[id];
        require(
            slot.status == OrderStatus.Open || slot.status == OrderStatus.Accepted,
            Errors.WrongStatus(id, uint8(slot.status))
        );
        bytes32 found = keccak256(numbers);
        require(found == order.inputs, Errors.OtherInput(order.inputs, found));
        if (!slot.given && block.timestamp <= order.inputBy) {
            slot.given = true;
            _slots[id] = slot;
        }
        emit Events.InputPosted(id, numbers);
    }

    /// @notice Delivers an order: its server until `deliverBy`, any authorised server until `rescueBy`. Reverts unless
    /// the proof shows that the model gives these outputs for the order's input, and names the caller.
    /// @param outputs Each output tensor in its canonical encoding, in the graph's order.
    /// @param proof In the encoding of the verifier that the version is registered with.
    function deliver(Order calldata order, bytes[] calldata outputs, bytes calldata proof)
        external
        nonReentrant
    {
        (bytes32 id, Slot memory slot) = _load(order, OrderStatus.Accepted);
        bool late = block.timestamp > order.deliverBy;
        _checkDeliverer(order, slot.server, late);
        slot.status = late ? OrderStatus.Rescued : OrderStatus.Paid;
        _slots[id] = slot;
        _verify(order, id, slot.verifier, outputs, proof);

        Shares memory shares =
            ShareRules.ofDelivery(order.price, _bond(order, slot), slot.feeBps, late, slot.given);
        _pay(order, slot.server, msg.sender, shares);
        emit Events.Delivered(
            id, msg.sender, late, outputs, shares.deliverer, shares.buyer, shares.fee
        );
        if (msg.sender == slot.server) {
            Outcome outcome = late && slot.given ? Outcome.Late : Outcome.Valid;
            _record(order, id, slot, msg.sender, outcome);
        } else {
            _record(order, id, slot, msg.sender, Outcome.Rescued);
            if (slot.given) _record(order, id, slot, slot.server, Outcome.Missed);
        }
    }

    // -- ending --------------------------------------------------------------------------------

    /// @notice Ends an order whose time is over, and gives the buyer its price. Anyone may call it: after
    /// `acceptBy` where nobody has accepted; after `inputBy` where the server has no input, which then has its bond
    /// back; else after `rescueBy`, and the bond is the buyer's.
    /// @dev Where the version's verifier was retired meanwhile, no server could have delivered, and the bond goes back.
    function refund(Order calldata order) external nonReentrant {
        bytes32 id = idOf(order);
        Slot memory slot = _slots[id];
        bool accepted = slot.status == OrderStatus.Accepted;
        require(
            accepted || slot.status == OrderStatus.Open, Errors.WrongStatus(id, uint8(slot.status))
        );
        uint256 end = order.acceptBy;
        if (accepted) end = slot.given ? order.rescueBy : order.inputBy;
        require(block.timestamp > end, Errors.TooEarly(end));

        bool blamed = accepted && slot.given && _isVerified(slot.verifier);
        slot.status = OrderStatus.Refunded;
        _slots[id] = slot;
        Shares memory shares =
            ShareRules.ofRefund(order.price, accepted ? _bond(order, slot) : 0, blamed);
        _pay(order, slot.server, address(0), shares);
        emit Events.Refunded(id, slot.server, shares.buyer, shares.acceptor);
        if (blamed) _record(order, id, slot, slot.server, Outcome.Missed);
        _restore(order, id);
    }

    // -- questions -----------------------------------------------------------------------------

    /// @return The id of an order: its EIP-712 digest on this chain, for this escrow.
    function idOf(Order calldata order) public view returns (bytes32) {
        return _hashTypedDataV4(order.structHash());
    }

    /// @return What is kept of an order.
    function slotOf(bytes32 id) external view returns (Slot memory) {
        return _slots[id];
    }

    // -- inside --------------------------------------------------------------------------------

    function _checkBuyer(Order calldata order) private view {
        require(order.buyer == msg.sender, Errors.NotBuyer(order.buyer, msg.sender));
    }

    function _load(Order calldata order, OrderStatus needed)
        private
        view
        returns (bytes32 id, Slot memory slot)
    {
        id = idOf(order);
        slot = _slots[id];
        require(slot.status == needed, Errors.WrongStatus(id, uint8(slot.status)));
    }

    /// @dev Makes an order whose price is taken after that.
    function _open(Order calldata order) private returns (bytes32 id) {
        uint16 feeBps = MARKET.termsOfRequest(order.token);
        require(
            block.timestamp < order.acceptBy && order.acceptBy <= order.inputBy
                && order.inputBy < order.deliverBy && order.deliverBy < order.rescueBy
                && order.rescueBy <= block.timestamp + LONGEST,
            Errors.BadTimes()
        );
        id = idOf(order);
        require(_slots[id].status == OrderStatus.None, Errors.OrderExists(id));
        Slot memory slot;
        (slot.status, slot.feeBps) = (OrderStatus.Open, feeBps);
        slot.verifier = _verifierOf(order);
        _slots[id] = slot;
        uint256 price = _entitle(order);
        require(order.price >= price, Errors.PriceTooLow(order.price, price));
        emit Events.Requested(id, order.buyer, order.model, order, feeBps);
    }

    /// @return verifier What the version is registered with, of which enough is said.
    function _verifierOf(Order calldata order) private view returns (bytes4 verifier) {
        bool active;
        uint8 inputKinds;
        (active, verifier,, inputKinds) = REGISTRY.proofTermsOf(order.model);
        require(active, Errors.VersionInactive(order.model));
        require(inputKinds & CommitmentKinds.DISCLOSED != 0, Errors.InputNotDisclosed(order.model));
        uint8 found = ROUTER.assuranceOf(verifier);
        require(found >= order.assurance, Errors.AssuranceTooLow(found, order.assurance));
    }

    /// @return price The least that has to be locked. What a plan gives for it is taken.
    function _entitle(Order calldata order) private returns (uint256 price) {
        bool entitled;
        if (address(ACCESS) == address(0)) {
            (price, entitled) = REGISTRY.priceOf(order.model, order.token);
            entitled = entitled && order.plan == 0;
        } else if (order.plan == 0) {
            (entitled, price) = ACCESS.entitlement(order.buyer, order.model, order.token, 0);
        } else {
            return ACCESS.consume(order.buyer, order.model, order.token, order.plan);
        }
        require(entitled, Errors.NotOnSale(order.buyer, order.model, order.token));
    }

    /// @return factor How many times an order's bond the caller stakes.
    function _bondFactor() private view returns (uint8 factor) {
        uint16 least;
        (least, factor) = MARKET.termsOfAcceptance(msg.sender);
        if (factor != 1 && (least == 0 || REPUTATION.score(msg.sender) >= least)) factor = 1;
    }

    function _bond(Order calldata order, Slot memory slot) private pure returns (uint256) {
        return uint256(order.bond) * slot.bondFactor;
    }

    function _checkDeliverer(Order calldata order, address acceptor, bool late) private view {
        require(block.timestamp <= order.rescueBy, Errors.TooLate(order.rescueBy));
        if (msg.sender == acceptor) return;
        require(late, Errors.NotAcceptor(acceptor, msg.sender));
        require(MARKET.isServer(msg.sender), Errors.NotAServer(msg.sender));
    }

    /// @dev Makes the statement of what the order asks for, and has its proof verified.
    function _verify(
        Order calldata order,
        bytes32 id,
        bytes4 verifier,
        bytes[] calldata outputs,
        bytes calldata proof
    ) private {
        (,, bytes32 verifyingKey,) = REGISTRY.proofTermsOf(order.model);
        Statement memory statement = Statement({
            jobId: id,
            modelCommitment: order.model,
            inputCommitment: order.inputCommitment,
            outputCommitment: Outputs.commitment(outputs),
            proofSystem: ROUTER.systemOf(verifier),
            provider: msg.sender,
            version: STATEMENT_VERSION
        });
        Claim memory claim = Claim({
            statement: StatementLib.digest(statement),
            verifyingKey: verifyingKey,
            inputs: order.inputs,
            outputs: outputs
        });
        ROUTER.verify(verifier, claim, proof);
    }

    function _pay(Order calldata order, address acceptor, address deliverer, Shares memory shares)
        private
    {
        if (acceptor == deliverer) {
            _credit(deliverer, order.token, shares.deliverer + shares.acceptor);
        } else {
            _credit(deliverer, order.token, shares.deliverer);
            _credit(acceptor, order.token, shares.acceptor);
        }
        _credit(order.buyer, order.token, shares.buyer);
        _creditFee(order.token, shares.fee);
    }

    /// @dev Whether anything stands behind a selector still. A router that does not answer says no.
    function _isVerified(bytes4 selector) private view returns (bool) {
        _checkGas();
        try ROUTER.assuranceOf{gas: TELL_GAS}(selector) returns (uint8) {
            return true;
        } catch {
            return false;
        }
    }

    /// @dev Tells the reputation what became of an order. It counts its price, or its bond where that was higher and
    /// the server failed; nothing where the buyer paid itself.
    function _record(
        Order calldata order,
        bytes32 id,
        Slot memory slot,
        address server,
        Outcome outcome
    ) private {
        uint128 amount = order.price;
        bool failed = outcome == Outcome.Late || outcome == Outcome.Missed;
        if (failed && order.bond > amount) amount = order.bond;
        if (slot.ownModel || order.buyer == server) amount = 0;
        _tell(
            id,
            address(REPUTATION),
            abi.encodeCall(Reputation.record, (server, outcome, order.token, amount))
        );
    }

    /// @dev Has a plan given back what the order took of it.
    function _restore(Order calldata order, bytes32 id) private {
        if (order.plan == 0) return;
        _tell(
            id,
            address(ACCESS),
            abi.encodeCall(AccessRules.restore, (order.buyer, order.model, order.plan))
        );
    }

    /// @dev Tells another contract, which cannot stop what it is told, nor make it costly. Who calls here cannot
    /// have it fail by leaving too little gas.
    function _tell(bytes32 id, address to, bytes memory told) private {
        _checkGas();
        uint256 given = TELL_GAS;
        bool done;
        assembly ("memory-safe") {
            done := call(given, to, 0, add(told, 32), mload(told), 0, 0)
        }
        if (!done) emit Events.NotTold(id, to);
    }

    function _checkGas() private view {
        uint256 needed = TELL_GAS + TELL_GAS / 63 + MARGIN;
        require(gasleft() >= needed, Errors.TooLittleGasToTell(gasleft(), needed));
    }
}
