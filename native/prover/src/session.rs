//! What a proof is asked for with, and its phases, which a caller may follow and stop.

use crate::error::ProveError;
#[cfg(feature = "audit")]
use transcript::Extension;
use transcript::Transcript;

/// A phase of proving that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The graph is executed.
    Execute,
    /// The columns are committed to.
    Commit,
    /// The columns are looked up.
    LookUp,
    /// Claims are reduced to evaluations of what is committed to.
    Reduce,
    /// The checks of what was sent under pads are proven.
    Relate,
    /// What is committed to is opened.
    Open,
}

impl Phase {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Commit => "commit",
            Self::LookUp => "look up",
            Self::Reduce => "reduce",
            Self::Relate => "relate",
            Self::Open => "open",
        }
    }
}

/// Follows a proof being made: called when a phase begins, and cancels by `false`.
pub type Watch<'a> = &'a mut dyn FnMut(Phase) -> bool;

/// Alters what a reduction sends: the number of the message, and the message.
#[cfg(feature = "audit")]
pub type Alter<'a> = &'a mut dyn FnMut(usize, &mut [Extension]);

/// One proof being made.
pub(crate) struct Session<'a> {
    /// The graph's inputs.
    pub(crate) inputs: &'a [&'a [i32]],
    /// The digest that ties the proof to its purpose.
    pub(crate) statement: [u8; 32],
    pub(crate) watch: Watch<'a>,
    pub(crate) transcript: &'a mut Transcript,
    /// What a test alters of what a reduction sends.
    #[cfg(feature = "audit")]
    pub(crate) alter: Option<Alter<'a>>,
}

impl Session<'_> {
    /// Notes that a phase begins.
    pub(crate) fn begins(&mut self, phase: Phase) -> Result<(), ProveError> {
        if (self.watch)(phase) {
            Ok(())
        } else {
            Err(ProveError::Cancelled)
        }
    }
}
