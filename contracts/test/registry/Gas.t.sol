// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Registrations} from "./Registrations.sol";
import {GasMeter} from "../GasMeter.sol";
import {DevnetUSD} from "../../src/DevnetUSD.sol";
import {ModelRegistry} from "../../src/registry/ModelRegistry.sol";
import {Registration} from "../../src/registry/Registration.sol";

/// @dev A seal, and a registration of a model with one price and a URI of 66 bytes.
contract RegistryGasTest is Registrations, GasMeter {
    ModelRegistry private registry;
    Registration private sealed_;
    bytes private signature;

    function setUp() public {
        vm.warp(NOW);
        registry = new ModelRegistry();
        Registration memory r =
            registrationOf(keccak256("sealed"), address(new DevnetUSD(address(this))));
        signature = sealedBy(registry, PROVIDER_KEY, r);
        sealed_.commitment = r.commitment;
        sealed_.model = r.model;
        sealed_.owner = r.owner;
        sealed_.deadline = r.deadline;
        sealed_.terms = r.terms;
        sealed_.prices.push(r.prices[0]);
    }

    function test_gas_sealingTakesAtMost55000() public {
        bytes32 digest = keccak256("anything");
        uint256 gas = transaction("seal", abi.encodeCall(registry.seal, (digest)));
        assertTrue(gas <= 55_000, "a seal is dear");
    }

    function test_gas_registeringTakesAtMost220000() public {
        bytes memory data = abi.encodeCall(registry.register, (sealed_, signature));
        uint256 gas = transaction("register", data);
        assertTrue(gas <= 220_000, "a registration is dearer than 220,000");
        assertTrue(gas > 150_000, "the measurement misses something");
    }

    function transaction(string memory what, bytes memory data) private returns (uint256 gas) {
        gas = measured(vm.addr(PROVIDER_KEY), address(registry), data);
        vm.snapshotValue("registry", what, gas);
    }
}
