//! What is proven does not depend on the number of threads, nor on how work is split among them.

use crate::hidden::{lie, seeded};
use crate::liar::honest;
use crate::models::{dense, everything, lenet, wide};
use commitment::{Profile, Writer};
use graph::Graph;
use key::Kind;
use parallel::Pool;
use transcript::Transcript;

/// Bytes of the key, of the link to an epoch and of a proof, all that hides being drawn from fixed numbers.
fn made(graph: &Graph) -> [Vec<u8>; 3] {
    let case = seeded(graph.clone(), Profile::Default);
    let (outputs, proof) = lie(&case, |_| (), Transcript::new(), &mut honest);
    let proof = proof.encode(case.key());
    case.verify(&outputs, &proof).unwrap();
    let mut link = Writer::default();
    case.epoch.links()[0].write(case.key(), Kind::Key, &mut link);
    [case.key().encode(), link.bytes, proof]
}

#[test]
fn proofs_links_and_keys_are_the_same_by_any_number_of_threads() {
    for graph in [everything(), wide(), lenet(), dense(&[40, 33, 10])] {
        let alone = made(&graph);
        for pool in [Pool::new(1), Pool::new(2), Pool::eager(2), Pool::eager(5)] {
            assert!(pool.unwrap().run(|| made(&graph)) == alone);
        }
    }
}
