//! What the provers and verifiers of all modes speak of: what a proof is about, the phases of making
//! one, and who follows them.

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

/// A phase of proving that has begun. A mode that commits to no columns has the first, the fourth and
/// the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The graph is executed, and columns are made of it.
    Execute,
    /// The columns are committed to.
    Commit,
    /// The columns are looked up.
    Lookups,
    /// Claims are reduced.
    Reduce,
    /// The columns are opened.
    OpenWitness,
    /// The weights are opened.
    OpenWeights,
}

impl Phase {
    /// Its name, which does not change.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Commit => "commit",
            Self::Lookups => "look up",
            Self::Reduce => "reduce",
            Self::OpenWitness => "open witness",
            Self::OpenWeights => "open",
        }
    }
}

/// Follows a proof being made, and may stop it.
pub trait Watch {
    /// Called when a phase begins; `false` cancels.
    fn goes_on(&mut self, phase: Phase) -> bool;
}

/// Who only looks on lets everything go on.
impl<F: FnMut(Phase)> Watch for F {
    fn goes_on(&mut self, phase: Phase) -> bool {
        self(phase);
        true
    }
}
