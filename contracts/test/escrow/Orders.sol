// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Registrations} from "../registry/Registrations.sol";
import {DevnetUSD} from "../../src/DevnetUSD.sol";
import {AccessRules} from "../../src/access/AccessRules.sol";
import {Market} from "../../src/admin/Market.sol";
import {Roles} from "../../src/admin/Roles.sol";
import {Permit} from "../../src/escrow/Balances.sol";
import {Escrow} from "../../src/escrow/Escrow.sol";
import {Order} from "../../src/escrow/Order.sol";
import {OrderStatus} from "../../src/escrow/OrderLib.sol";
import {ModelRegistry} from "../../src/registry/ModelRegistry.sol";
import {Registration, TokenPrice} from "../../src/registry/Registration.sol";
import {Reputation} from "../../src/reputation/Reputation.sol";
import {Router} from "../../src/verification/Router.sol";
import {Claim} from "../../src/verification/StatementVerifier.sol";

/// @dev Stands for the router: a proof is the digest of the claim that it shows.
contract TestRouter is Router {
    error Refused();

    uint8 private assurance = 4;
    bool public retired;
    uint32 private needs;

    address private target;
    bytes private data;
    bool public calledBack;

    function setAssurance(uint8 assurance_) external {
        assurance = assurance_;
    }

    function retire() external {
        retired = true;
    }

    /// @dev Refuses to say an assurance with less gas than that, and gives the rest of it back.
    function setNeeds(uint32 gas_) external {
        needs = gas_;
    }

    /// @dev Has the verifier call somebody.
    function arm(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function verify(bytes4 selector, Claim calldata claim, bytes calldata proof) external {
        require(selector == 0x0a0b0c0d && !retired, Refused());
        require(keccak256(proof) == keccak256(abi.encode(keccak256(abi.encode(claim)))), Refused());
        if (target != address(0)) {
            (bool done,) = target.call(data);
            require(!done, "the call back was taken");
            calledBack = true;
        }
    }

    function assuranceOf(bytes4 selector) external view returns (uint8) {
        require(gasleft() >= needs, Refused());
        require(selector == 0x0a0b0c0d && !retired, Refused());
        return assurance;
    }

    function systemOf(bytes4 selector) external view returns (string memory) {
        require(selector == 0x0a0b0c0d && !retired, Refused());
        return "sumcheck";
    }
}

/// @dev A market with one model, two servers and a buyer, and what they do. Digests are written out by hand, so
/// that the contract is not checked against itself.
abstract contract Orders is Registrations {
    bytes32 internal constant MODEL = keccak256("the model");
    bytes internal constant NUMBERS = hex"01000000020000000300000004000000";
    uint256 internal constant BUYER_KEY = 0xB0B;
    uint128 internal constant BOND = 100_001;
    uint16 internal constant FEE_BPS = 250;
    uint256 internal constant FUNDS = 1e9;
    uint128 internal constant WEIGHT = 1e18;

    DevnetUSD internal token;
    Market internal market;
    ModelRegistry internal registry;
    TestRouter internal router;
    Reputation internal reputation;
    Escrow internal escrow;

    address internal owner;
    address internal buyer;
    address internal alice = address(0xA11CE5);
    address internal bob = address(0xB0B0B);
    address internal stranger = address(0x57A);

    function build() internal {
        vm.warp(NOW);
        owner = vm.addr(PROVIDER_KEY);
        buyer = vm.addr(BUYER_KEY);
        token = new DevnetUSD(address(this));
        registry = new ModelRegistry();
        router = new TestRouter();
        market = new Market(address(this), 1 days);
        market.grantRole(Roles.PARAMETERS, address(this));
        market.grantRole(Roles.PAUSER, address(this));
        market.grantRole(Roles.ADMISSION, address(this));
        market.grantRole(Roles.FEES, address(this));
        reputation = new Reputation(market);
        escrow = escrowWith(AccessRules(address(0)));
        market.setFee(FEE_BPS);
        market.setToken(address(token), true, WEIGHT);
        market.setServer(alice, true);
        market.setServer(bob, true);
        offer(MODEL, 5);
        price(address(token), PRICE);
        token.mint(buyer, FUNDS);
        fund(alice, address(token), FUNDS);
        fund(bob, address(token), FUNDS);
    }

    function escrowWith(AccessRules access) internal returns (Escrow made) {
        made = new Escrow(market, registry, router, reputation, access);
        market.grantRole(Roles.RECORDER, address(made));
    }

    function offer(bytes32 commitment, uint8 kinds) internal {
        Registration memory r = registrationOf(commitment, address(token));
        r.terms.inputKinds = kinds;
        registry.register(r, sealedBy(registry, PROVIDER_KEY, r));
    }

    function price(address coin, uint128 amount) internal {
        TokenPrice[] memory prices = new TokenPrice[](1);
        prices[0] = TokenPrice({token: coin, amount: amount, accepted: true});
        vm.prank(owner);
        registry.setPrices(MODEL, prices);
    }

    /// @dev Puts money into a balance of the escrow's.
    function fund(address who, address coin, uint256 amount) internal {
        DevnetUSD(coin).mint(who, amount);
        vm.prank(who);
        DevnetUSD(coin).approve(address(escrow), amount);
        vm.prank(who);
        escrow.deposit(coin, amount);
    }

    // -- orders --------------------------------------------------------------------------------

    function orderOf(uint256 salt) internal view returns (Order memory) {
        return Order({
            buyer: buyer,
            token: address(token),
            price: PRICE,
            bond: BOND,
            model: MODEL,
            inputCommitment: keccak256("input"),
            inputs: keccak256(NUMBERS),
            plan: 0,
            server: address(0),
            assurance: 3,
            acceptBy: uint40(block.timestamp + 10 minutes),
            inputBy: uint40(block.timestamp + 20 minutes),
            deliverBy: uint40(block.timestamp + 1 hours),
            rescueBy: uint40(block.timestamp + 2 hours),
            salt: bytes32(salt)
        });
    }

    function idFor(address at_, uint256 chain, Order memory o) internal pure returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("inferproof escrow"),
                keccak256("1"),
                chain,
                at_
            )
        );
        bytes memory first = abi.encode(
            keccak256(
                "Order(address buyer,address token,uint128 price,uint128 bond,bytes32 model,bytes32 inputCommitment,bytes32 inputs,bytes32 plan,address server,uint8 assurance,uint40 acceptBy,uint40 inputBy,uint40 deliverBy,uint40 rescueBy,bytes32 salt)"
            ),
            o.buyer,
            o.token,
            o.price,
            o.bond,
            o.model,
            o.inputCommitment,
            o.inputs
        );
        bytes memory second = abi.encode(
            o.plan, o.server, o.assurance, o.acceptBy, o.inputBy, o.deliverBy, o.rescueBy, o.salt
        );
        return
            keccak256(abi.encodePacked(hex"1901", domain, keccak256(bytes.concat(first, second))));
    }

    function idFor(Order memory o) internal view returns (bytes32) {
        return idFor(address(escrow), block.chainid, o);
    }

    function outputsOf(uint256 seed) internal pure returns (bytes[] memory outputs) {
        outputs = new bytes[](2);
        // Ten scores, and the label.
        outputs[0] = abi.encodePacked(
            hex"06000000",
            "scores",
            hex"0100000000000000",
            hex"000000000000f03f",
            seed,
            keccak256(abi.encode(seed)),
            seed
        );
        outputs[1] = abi.encodePacked(hex"05000000", "label", hex"00000000", uint64(seed));
    }

    function commitmentOf(bytes[] memory outputs) internal pure returns (bytes32) {
        bytes memory message = abi.encodePacked(keccak256("inferproof/output/1"));
        for (uint256 i = 0; i < outputs.length; ++i) {
            message = abi.encodePacked(message, uint64(outputs[i].length), outputs[i]);
        }
        return keccak256(message);
    }

    function statementOf(Order memory o, bytes32 id, address server, bytes[] memory outputs)
        internal
        pure
        returns (bytes32)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version)"),
                keccak256("inferproof"),
                keccak256("1")
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "Statement(bytes32 jobId,bytes32 modelCommitment,bytes32 inputCommitment,bytes32 outputCommitment,string proofSystem,address provider,uint16 version)"
                ),
                id,
                o.model,
                o.inputCommitment,
                commitmentOf(outputs),
                keccak256("sumcheck"),
                server,
                uint256(1)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function proofFor(Order memory o, bytes32 id, address server, bytes[] memory outputs)
        internal
        pure
        returns (bytes memory)
    {
        Claim memory claim = Claim({
            statement: statementOf(o, id, server, outputs),
            verifyingKey: keccak256(abi.encode("key", o.model)),
            inputs: o.inputs,
            outputs: outputs
        });
        return abi.encode(keccak256(abi.encode(claim)));
    }

    /// @dev What lets the escrow take an amount of the dollar.
    function permitOf(address who, uint256 key, uint256 amount)
        internal
        view
        returns (Permit memory p)
    {
        p.deadline = block.timestamp + 60;
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                who,
                address(escrow),
                amount,
                token.nonces(who),
                p.deadline
            )
        );
        bytes32 digest =
            keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
        (p.v, p.r, p.s) = vm.sign(key, digest);
    }

    // -- what parties do -----------------------------------------------------------------------

    function request(Order memory o) internal returns (bytes32) {
        vm.prank(o.buyer);
        token.approve(address(escrow), o.price);
        vm.prank(o.buyer);
        escrow.request(o);
        return idFor(o);
    }

    function accept(Order memory o, address server, bool acknowledged) internal {
        vm.prank(server);
        escrow.accept(o, acknowledged);
    }

    function deliver(Order memory o, address server) internal {
        bytes[] memory outputs = outputsOf(7);
        bytes memory proof = proofFor(o, idFor(o), server, outputs);
        vm.prank(server);
        escrow.deliver(o, outputs, proof);
    }

    function refund(Order memory o) internal {
        vm.prank(stranger);
        escrow.refund(o);
    }

    // -- what is to be ------------------------------------------------------------------------

    function checkStatus(Order memory o, OrderStatus status) internal view {
        assertEq(uint256(escrow.slotOf(idFor(o)).status), uint256(status));
    }

    function has(address who, uint256 amount) internal view {
        assertEq(escrow.balanceOf(who, address(token)), amount);
    }

    function wrongStatus(Order memory o, OrderStatus status) internal view returns (bytes memory) {
        return abi.encodeWithSignature("WrongStatus(bytes32,uint8)", idFor(o), uint8(status));
    }
}
