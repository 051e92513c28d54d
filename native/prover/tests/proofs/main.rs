//! Provers that are honest and provers that lie, proof by proof. One program: each would be linked anew.
mod fields;
mod forge;
mod graphs;
#[path = "../hidden/mod.rs"]
mod hidden;
#[path = "../liar/mod.rs"]
mod liar;
#[path = "../models/mod.rs"]
mod models;
#[path = "../../../claim_reduction/tests/common/pieces.rs"]
mod pieces;
mod private_end_to_end;
mod private_evm;
mod private_fields;
mod private_frozen;
mod private_inputs;
mod private_interpolation;
mod private_links;
mod private_malicious;
mod private_malicious_choices;
mod private_malicious_integers;
mod private_malicious_relations;
mod private_parameters;
mod private_ranges;
mod private_tamper;
mod private_threads;
mod private_vectors;
mod recorded;
mod replay;
mod search;
mod verdicts;
