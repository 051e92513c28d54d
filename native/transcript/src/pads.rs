//! One-time pads under which a prover sends its elements.

use crate::Extension;

/// Pads, and what was absorbed under those that are used by now.
#[derive(Clone)]
pub(crate) struct Pads {
    all: Vec<Extension>,
    sent: Vec<Extension>,
    short: bool,
}

/// Neither pads nor what stands beside them are printed.
impl std::fmt::Debug for Pads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pads").finish_non_exhaustive()
    }
}

impl Pads {
    pub(crate) fn new(pads: &[Extension]) -> Self {
        Self {
            all: pads.to_vec(),
            sent: Vec::with_capacity(pads.len()),
            short: false,
        }
    }

    /// The sums of elements and pads. An element for which there is no pad is left out.
    pub(crate) fn apply(&mut self, elements: &[Extension]) -> Vec<Extension> {
        let left = self.all.get(self.sent.len()..).unwrap_or(&[]);
        let sums = elements.iter().zip(left);
        let sums: Vec<Extension> = sums.map(|(&element, &pad)| element + pad).collect();
        self.short |= sums.len() < elements.len();
        self.sent.extend_from_slice(&sums);
        sums
    }

    /// All sums, if there were pads enough.
    pub(crate) fn sent(self) -> Option<Vec<Extension>> {
        (!self.short).then_some(self.sent)
    }
}
