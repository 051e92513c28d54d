//! The two sides of a reduction.
//!
//! A reduction is written once, for either side: it asks its [`ProtocolRole`] for the values that a prover
//! sends and for challenges, and what it computes in between is the verifier's part. Closures make
//! what is sent; only a [`Prover`] calls them, because only it has a [`Witness`]. Checks are made by
//! a [`Verifier`], and recorded by a [`relation::Recorder`], which holds values as forms in pads: so each
//! check is that two values are equal, or that a product of two is a third, and nothing else is ever
//! asked of a value. A [`Counter`] has neither and counts what a proof will hold.

use executor::Tensors;
use graph::Graph;
use sumcheck::{Engine, Simd, Statement, Value};
use transcript::{Base, Extension, Site, Transcript};

/// Why a reduction is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The proof has fewer values than the graph needs.
    #[error("the reduction ends too early")]
    Short,
    /// The proof has more values than the graph needs.
    #[error("the reduction has values left over")]
    Long,
    /// A claim does not follow from the claims that it was reduced to.
    #[error("a claim about the {0} does not follow from what it was reduced to")]
    Mismatch(Place),
    /// A challenge happened to be a root, which has no part in an honest proof but by chance.
    #[error("a challenge is a root of a polynomial that must not vanish")]
    Challenge,
}

/// What a mismatch is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An input of the graph.
    Input(usize),
    /// An output of the graph.
    Output(usize),
    /// The result of a node.
    Node(usize),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Input(number) => write!(f, "input {number}"),
            Self::Output(number) => write!(f, "output {number}"),
            Self::Node(number) => write!(f, "result of node {number}"),
        }
    }
}

/// What a prover knows.
#[derive(Clone, Copy)]
pub struct Witness<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// All of its tensors.
    pub tensors: &'a Tensors,
    /// The weight matrices one after another.
    pub weights: &'a [i8],
    /// The committed columns.
    pub columns: &'a [Vec<Base>],
}

impl<'a> Witness<'a> {
    /// Shape and elements of a tensor.
    pub fn tensor(&self, id: usize) -> (&'a [usize], &'a [i32]) {
        let shape = self.graph.tensor(id).map_or(&[][..], |(shape, ..)| shape);
        (shape, self.tensors.get(id))
    }

    /// The elements of a weight matrix.
    pub fn matrix(&self, id: usize) -> &'a [i8] {
        let sizes = || self.graph.weights.iter().map(graph::Weight::size);
        let start: usize = sizes().take(id).sum();
        let size = sizes().nth(id).unwrap_or(0);
        self.weights.get(start..start + size).unwrap_or(&[])
    }
}

/// Where a sumcheck ended.
#[derive(Clone, Debug, Default)]
pub struct Ended<V = Extension> {
    /// The point.
    pub point: Vec<Extension>,
    /// What the product of the tables must be there.
    pub left: V,
    /// What each of the tables is there, where it is known.
    pub values: Vec<Extension>,
}

/// One side of a reduction.
pub trait ProtocolRole {
    /// How values are held that were sent or that follow from such values.
    type Value: Value;

    /// `count` values that the prover makes and sends.
    fn values(
        &mut self,
        count: usize,
        make: impl FnOnce(&Witness<'_>) -> Vec<Extension>,
    ) -> Result<Vec<Self::Value>, Rejected>;

    /// A sumcheck: that a product of `degree` tables of 2^`variables` elements sums up to `claim`.
    fn sumcheck(
        &mut self,
        variables: usize,
        degree: usize,
        claim: Self::Value,
        tables: impl FnOnce(&Witness<'_>) -> Vec<Vec<Extension>>,
    ) -> Result<Ended<Self::Value>, Rejected>;

    /// A challenge.
    fn challenge(&mut self) -> Extension;

    /// Demands that two values are equal. They are made where that is checked or recorded.
    fn equal(
        &mut self,
        place: Place,
        values: impl FnOnce() -> Result<[Self::Value; 2], Rejected>,
    ) -> Result<(), Rejected>;

    /// Demands that the product of the first two values is the third.
    fn product(
        &mut self,
        place: Place,
        values: impl FnOnce() -> [Self::Value; 3],
    ) -> Result<(), Rejected>;

    /// Challenges.
    fn point(&mut self, variables: usize) -> Vec<Extension> {
        (0..variables).map(|_| self.challenge()).collect()
    }
}

/// Alters what a prover sends: the number of the message, and the message.
#[cfg(feature = "audit")]
pub type Alter<'a> = &'a mut dyn FnMut(usize, &mut [Extension]);

/// The side that knows everything.
pub struct Prover<'a> {
    witness: Witness<'a>,
    transcript: &'a mut Transcript,
    sent: Vec<Extension>,
    messages: usize,
    #[cfg(feature = "audit")]
    alter: Option<Alter<'a>>,
}

impl<'a> Prover<'a> {
    /// A prover of what `witness` holds.
    pub const fn new(witness: Witness<'a>, transcript: &'a mut Transcript) -> Self {
        Self {
            witness,
            transcript,
            sent: Vec::new(),
            messages: 0,
            #[cfg(feature = "audit")]
            alter: None,
        }
    }

    /// The same, lying.
    #[cfg(feature = "audit")]
    #[must_use]
    pub fn altered(mut self, alter: Alter<'a>) -> Self {
        self.alter = Some(alter);
        self
    }

    /// All that was sent.
    pub fn finish(self) -> Vec<Extension> {
        self.sent
    }

    #[cfg_attr(not(feature = "audit"), allow(clippy::needless_pass_by_ref_mut))]
    fn send(&mut self, site: Site, values: &mut [Extension]) {
        #[cfg(feature = "audit")]
        if let Some(alter) = &mut self.alter {
            alter(self.messages, values);
        }
        self.messages += 1;
        self.transcript.absorb_elements(site, values);
        self.sent.extend_from_slice(values);
    }
}

impl ProtocolRole for Prover<'_> {
    type Value = Extension;

    fn values(
        &mut self,
        _count: usize,
        make: impl FnOnce(&Witness<'_>) -> Vec<Extension>,
    ) -> Result<Vec<Extension>, Rejected> {
        let mut values = make(&self.witness);
        self.send(Site::Claims, &mut values);
        Ok(values)
    }

    fn sumcheck(
        &mut self,
        variables: usize,
        _degree: usize,
        claim: Extension,
        tables: impl FnOnce(&Witness<'_>) -> Vec<Vec<Extension>>,
    ) -> Result<Ended, Rejected> {
        let mut product = Simd::new(tables(&self.witness));
        let ended = Statement::sum(variables, claim).prove(&mut product, |message| {
            self.send(Site::Round, message);
            self.transcript.challenge()
        });
        Ok(Ended {
            point: ended.point,
            left: ended.left,
            values: product.values(),
        })
    }

    fn challenge(&mut self) -> Extension {
        self.transcript.challenge()
    }

    fn equal(
        &mut self,
        _place: Place,
        _values: impl FnOnce() -> Result<[Extension; 2], Rejected>,
    ) -> Result<(), Rejected> {
        Ok(())
    }

    fn product(
        &mut self,
        _place: Place,
        _values: impl FnOnce() -> [Extension; 3],
    ) -> Result<(), Rejected> {
        Ok(())
    }
}

/// The side that knows what was sent.
pub struct Verifier<'a> {
    received: std::slice::Iter<'a, Extension>,
    transcript: &'a mut Transcript,
    checks: usize,
}

impl<'a> Verifier<'a> {
    /// A verifier of what was sent.
    pub fn new(received: &'a [Extension], transcript: &'a mut Transcript) -> Self {
        Self {
            received: received.iter(),
            transcript,
            checks: 0,
        }
    }

    /// How many checks were made.
    pub const fn checks(&self) -> usize {
        self.checks
    }

    /// Checks that nothing is left over.
    pub fn finish(self) -> Result<(), Rejected> {
        if self.received.as_slice().is_empty() {
            Ok(())
        } else {
            Err(Rejected::Long)
        }
    }

    fn receive(&mut self, site: Site, count: usize) -> Result<Vec<Extension>, Rejected> {
        let values: Vec<Extension> = self.received.by_ref().take(count).copied().collect();
        if values.len() < count {
            return Err(Rejected::Short);
        }
        self.transcript.absorb_elements(site, &values);
        Ok(values)
    }
}

impl ProtocolRole for Verifier<'_> {
    type Value = Extension;

    fn values(
        &mut self,
        count: usize,
        _make: impl FnOnce(&Witness<'_>) -> Vec<Extension>,
    ) -> Result<Vec<Extension>, Rejected> {
        self.receive(Site::Claims, count)
    }

    fn sumcheck(
        &mut self,
        variables: usize,
        degree: usize,
        claim: Extension,
        _tables: impl FnOnce(&Witness<'_>) -> Vec<Vec<Extension>>,
    ) -> Result<Ended, Rejected> {
        let ended = Statement::sum(variables, claim).verify(|| {
            let message = self.receive(Site::Round, degree)?;
            Ok::<_, Rejected>((message, self.transcript.challenge()))
        })?;
        Ok(Ended {
            point: ended.point,
            left: ended.left,
            values: Vec::new(),
        })
    }

    fn challenge(&mut self) -> Extension {
        self.transcript.challenge()
    }

    fn equal(
        &mut self,
        place: Place,
        values: impl FnOnce() -> Result<[Extension; 2], Rejected>,
    ) -> Result<(), Rejected> {
        let [a, b] = values()?;
        self.checks += 1;
        if a == b {
            Ok(())
        } else {
            Err(Rejected::Mismatch(place))
        }
    }

    fn product(
        &mut self,
        place: Place,
        values: impl FnOnce() -> [Extension; 3],
    ) -> Result<(), Rejected> {
        let [a, b, c] = values();
        self.equal(place, || Ok([a * b, c]))
    }
}
