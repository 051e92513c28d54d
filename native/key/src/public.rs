//! What a proof is about.

/// What a proof is about, apart from the key.
#[derive(Clone, Copy, Debug)]
pub struct Public<'a> {
    /// The graph's inputs.
    pub inputs: &'a [&'a [i32]],
    /// The graph's outputs, all of them.
    pub outputs: &'a [&'a [i32]],
    /// The digest that ties the proof to its purpose.
    pub statement: [u8; 32],
}
