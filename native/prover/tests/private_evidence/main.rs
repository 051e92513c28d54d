//! The evidence that a proof shows its statement and nothing else: a simulator, statistics of many proofs, and
//! ranks; and for each kind of mask a control that leaves it out, and that one of them has to notice.
mod distinguisher;
#[path = "../hidden/mod.rs"]
mod hidden;
#[path = "../liar/mod.rs"]
mod liar;
mod masks;
#[path = "../models/mod.rs"]
mod models;
mod positions;
mod rank;
mod report;
mod sample;
mod simulate;
mod simulator;
mod statistics;
