"""The ezkl proof system: Halo2 with KZG commitments over BN254. Source: docs/adr/0003."""
