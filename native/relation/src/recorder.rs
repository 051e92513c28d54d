//! Whoever reads what was sent under pads and records what it is to satisfy.

use crate::equations::Equations;
use crate::form::Form;
use transcript::{Extension, Site, Transcript};

/// Why a proof cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Fewer elements than the relations need.
    #[error("there are fewer elements than the relations need")]
    Short,
    /// More elements than the relations need.
    #[error("there are more elements than the relations need")]
    Long,
}

/// Reads padded elements in the order in which they were sent, absorbs them, and records equations
/// where a verifier of plain elements would check them. The element of number i is under pad i.
#[derive(Debug)]
pub struct Recorder<'a> {
    received: &'a [Extension],
    next: usize,
    transcript: &'a mut Transcript,
    equations: Equations,
}

impl<'a> Recorder<'a> {
    /// A recorder of what was sent under the pads 0, 1, ….
    pub fn new(received: &'a [Extension], transcript: &'a mut Transcript) -> Self {
        Self {
            received,
            next: 0,
            transcript,
            equations: Equations::default(),
        }
    }

    /// The next elements, which are absorbed together at `site`.
    pub fn receive(&mut self, site: Site, count: usize) -> Result<Vec<Form>, Unreadable> {
        let end = self.next.saturating_add(count);
        let sent = self.received.get(self.next..end).ok_or(Unreadable::Short)?;
        self.transcript.absorb_elements(site, sent);
        let indices = self.next as u32..;
        let forms = sent.iter().zip(indices);
        let forms = forms.map(|(&sent, index)| Form::hidden(sent, index));
        self.next = end;
        Ok(forms.collect())
    }

    /// A challenge.
    pub fn challenge(&mut self) -> Extension {
        self.transcript.challenge()
    }

    /// Where equations are recorded.
    pub const fn equations(&mut self) -> &mut Equations {
        &mut self.equations
    }

    /// All equations. No element may be left over.
    pub fn finish(self) -> Result<Equations, Unreadable> {
        if self.next == self.received.len() {
            Ok(self.equations)
        } else {
            Err(Unreadable::Long)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Recorder, Unreadable};
    use transcript::{Site, Transcript};

    #[test]
    fn what_is_read_is_what_was_sent_less_its_pad() {
        let mut prover = Transcript::new();
        let (elements, pads) = (prover.point(5), prover.point(5));
        let mut verifier = prover.clone();
        prover.pad(&pads);
        prover.absorb_elements(Site::Claims, &elements[..2]);
        let first = prover.challenge();
        prover.absorb_elements(Site::Round, &elements[2..]);
        let (second, sent) = (prover.challenge(), prover.padded().unwrap());

        let mut recorder = Recorder::new(&sent, &mut verifier);
        let mut forms = recorder.receive(Site::Claims, 2).unwrap();
        assert_eq!(recorder.challenge(), first);
        forms.extend(recorder.receive(Site::Round, 3).unwrap());
        assert_eq!(recorder.challenge(), second);
        let found: Vec<_> = forms.iter().map(|form| form.at(&pads).unwrap()).collect();
        assert_eq!(found, elements);
        assert_eq!(recorder.receive(Site::Round, 1), Err(Unreadable::Short));
        assert!(recorder.finish().unwrap().is_empty());
    }

    #[test]
    fn elements_left_over_are_refused() {
        let mut transcript = Transcript::new();
        let sent = transcript.point(3);
        let mut recorder = Recorder::new(&sent, &mut transcript);
        recorder.receive(Site::Claims, 2).unwrap();
        assert_eq!(recorder.finish(), Err(Unreadable::Long));
    }
}
