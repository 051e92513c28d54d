//! The verifier's side.

use crate::proof::Proof;
use crate::shape::{Argument, Fingerprint, Side};
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Statement, pass};
use transcript::{Extension, Site, Transcript};

/// Why a proof is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// More or fewer of something than the shape says.
    #[error("the lookup proof has not the shape of the argument")]
    Shape,
    /// A fraction without value.
    #[error("a tree of the lookup argument has the denominator zero at its root")]
    ZeroDenominator,
    /// The roots differ.
    #[error("the looked-up rows are not those that the multiplicities count")]
    Sum,
    /// A layer that does not follow from the one above.
    #[error("layer {0} of the lookup trees does not follow from the one above")]
    Layer(usize),
    /// The leaves are not those of the claimed columns.
    #[error("the claimed columns are not the leaves of the looked-up rows")]
    Columns,
    /// The leaves are not those of the tables with the claimed multiplicities.
    #[error("tables and claimed multiplicities are not the leaves of the table side")]
    Tables,
}

/// What is claimed of one lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnClaim {
    /// Most significant coordinate first.
    pub point: Vec<Extension>,
    /// The column of keys at the point.
    pub key: Extension,
    /// The column of values at the point, where the table has values.
    pub value: Option<Extension>,
}

/// What is claimed of the multiplicities of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiplicityClaim {
    /// Most significant coordinate first.
    pub point: Vec<Extension>,
    /// The multiplicities at the point.
    pub value: Extension,
}

/// What is left to be opened: a proof is worth nothing before that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// One for each lookup.
    pub columns: Vec<ColumnClaim>,
    /// One for each table.
    pub multiplicities: Vec<MultiplicityClaim>,
}

/// A fraction of two claimed values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fraction {
    pub(crate) numerator: Extension,
    pub(crate) denominator: Extension,
}

/// The two halves of a layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Children(pub(crate) [Fraction; 2]);

impl Children {
    /// The sum of both as one fraction.
    pub(crate) fn sum(&self) -> Fraction {
        let [a, b] = self.0;
        Fraction {
            numerator: a.numerator * b.denominator + b.numerator * a.denominator,
            denominator: a.denominator * b.denominator,
        }
    }

    /// The fraction at `branch` of the line through both.
    pub(crate) fn at(&self, branch: Extension) -> Fraction {
        let [a, b] = self.0;
        Fraction {
            numerator: a.numerator + branch * (b.numerator - a.numerator),
            denominator: a.denominator + branch * (b.denominator - a.denominator),
        }
    }
}

/// The children of one tree off the front of a layer's elements.
fn take(elements: &mut &[Extension], leaves_of_rows: bool) -> Option<Children> {
    let fraction = |numerator, denominator| Fraction {
        numerator,
        denominator,
    };
    if leaves_of_rows {
        let (&[a, b], rest) = elements.split_first_chunk()?;
        *elements = rest;
        let one = Extension::ONE;
        Some(Children([fraction(one, a), fraction(one, b)]))
    } else {
        let (&[a, b, c, d], rest) = elements.split_first_chunk()?;
        *elements = rest;
        Some(Children([fraction(a, b), fraction(c, d)]))
    }
}

/// Fractions of all trees with powers of `lambda`: numerator, then denominator of each.
pub(crate) fn combine(fractions: impl Iterator<Item = Fraction>, lambda: Extension) -> Extension {
    let mut power = Extension::ONE;
    let mut sum = Extension::ZERO;
    for fraction in fractions {
        sum += power * (fraction.numerator + lambda * fraction.denominator);
        power *= lambda * lambda;
    }
    sum
}

/// One tree while it is reduced.
struct Tree<'a> {
    side: &'a Side,
    /// Whether its leaves are looked-up rows, whose numerators are 1.
    rows: bool,
    /// The claim about the layer reached, and the point that it is about.
    claim: Fraction,
    point: Vec<Extension>,
}

impl Tree<'_> {
    const fn reaches(&self, depth: usize) -> bool {
        depth < self.side.height
    }
}

impl Argument {
    /// Checks a proof. What it returns MUST be opened. The transcript must have absorbed a
    /// commitment to all looked-up columns and multiplicities.
    pub fn verify(&self, proof: &Proof, transcript: &mut Transcript) -> Result<Claims, Rejection> {
        if !self.fits(proof) {
            return Err(Rejection::Shape);
        }
        let fingerprint = Fingerprint::draw(transcript);
        let [rows, entries] = self.reduce(proof, transcript)?;
        let rows_at = Side::point(&rows.point);
        let entries_at = Side::point(&entries.point);
        let claims = self
            .claims(proof, &rows_at, &entries_at)
            .ok_or(Rejection::Shape)?;
        self.check_rows(&fingerprint, &claims, &rows_at, rows.claim)?;
        self.check_entries(&fingerprint, &claims, &entries_at, entries.claim)?;
        transcript.absorb_elements(
            Site::LookupColumns,
            &[&proof.columns[..], &proof.multiplicities[..]].concat(),
        );
        Ok(claims)
    }

    /// From the roots to the leaves.
    fn reduce(
        &self,
        proof: &Proof,
        transcript: &mut Transcript,
    ) -> Result<[Tree<'_>; 2], Rejection> {
        let tree = |side, rows| Tree {
            side,
            rows,
            claim: Fraction {
                numerator: Extension::ZERO,
                denominator: Extension::ONE,
            },
            point: Vec::new(),
        };
        let mut trees = [tree(&self.rows, true), tree(&self.entries, false)];
        let mut point: Vec<Extension> = Vec::new();
        for (depth, layer) in proof.layers.iter().enumerate() {
            let active = || trees.iter().filter(|tree| tree.reaches(depth));
            let lambda = if depth == 0 {
                Extension::ZERO
            } else {
                transcript.challenge()
            };
            let claim = combine(active().map(|tree| tree.claim), lambda);
            let mut rounds = layer.rounds.iter();
            let ended = Statement::weighted(&point, claim).verify(|| {
                let round = rounds.next().ok_or(Rejection::Shape)?;
                Ok((round.to_vec(), pass(transcript, Site::LookupRound, round)))
            })?;
            let mut elements = &layer.children[..];
            let children = active()
                .map(|tree| take(&mut elements, tree.rows && tree.side.height == depth + 1))
                .collect::<Option<Vec<Children>>>()
                .ok_or(Rejection::Shape)?;
            if depth == 0 {
                same_sum(&children)?;
            } else if ended.left != combine(children.iter().map(Children::sum), lambda) {
                return Err(Rejection::Layer(depth));
            }
            transcript.absorb_elements(Site::LookupChildren, &layer.children);
            let branch = transcript.challenge();
            point = [&[branch], &ended.point[..]].concat();
            let active = trees.iter_mut().filter(|tree| tree.reaches(depth));
            for (tree, children) in active.zip(children) {
                tree.claim = children.at(branch);
                tree.point.clone_from(&point);
            }
        }
        Ok(trees)
    }

    /// The claims that a proof makes at the points of the leaves.
    pub(crate) fn claims(
        &self,
        proof: &Proof,
        rows_at: &[Extension],
        entries_at: &[Extension],
    ) -> Option<Claims> {
        let mut elements = proof.columns.iter().copied();
        let columns = self
            .rows
            .split(rows_at)
            .into_iter()
            .enumerate()
            .map(|(lookup, (_, point))| {
                let key = elements.next()?;
                let value = if self.table_of(lookup).has_values() {
                    Some(elements.next()?)
                } else {
                    None
                };
                let point = point.to_vec();
                Some(ColumnClaim { point, key, value })
            })
            .collect::<Option<_>>()?;
        let multiplicities = self
            .entries
            .split(entries_at)
            .into_iter()
            .zip(&proof.multiplicities)
            .map(|((_, point), &value)| MultiplicityClaim {
                point: point.to_vec(),
                value,
            })
            .collect();
        Some(Claims {
            columns,
            multiplicities,
        })
    }

    fn check_rows(
        &self,
        fingerprint: &Fingerprint,
        claims: &Claims,
        point: &[Extension],
        claimed: Fraction,
    ) -> Result<(), Rejection> {
        let mut covered = Extension::ZERO;
        let mut denominator = Extension::ZERO;
        let parts = self.rows.split(point);
        for ((lookup, claim), (weight, _)) in self.lookups().iter().zip(&claims.columns).zip(parts)
        {
            let value = claim.value.unwrap_or(Extension::ZERO);
            let leaf = fingerprint.of_table(lookup.table) + claim.key + fingerprint.beta * value;
            denominator += weight * leaf;
            covered += weight;
        }
        // The leaves beyond all columns repeat the first entry of the first table.
        let padding = fingerprint.of(0, self.tables()[0].at(0));
        denominator += (Extension::ONE - covered) * padding;
        if claimed.numerator == Extension::ONE && claimed.denominator == denominator {
            Ok(())
        } else {
            Err(Rejection::Columns)
        }
    }

    fn check_entries(
        &self,
        fingerprint: &Fingerprint,
        claims: &Claims,
        point: &[Extension],
        claimed: Fraction,
    ) -> Result<(), Rejection> {
        let mut covered = Extension::ZERO;
        let mut numerator = Extension::ZERO;
        let mut denominator = Extension::ZERO;
        let parts = self.entries.split(point);
        let tables = self.tables().iter().enumerate();
        for (((index, table), claim), (weight, own)) in
            tables.zip(&claims.multiplicities).zip(parts)
        {
            let (key, value) = table.evaluate(&self.lifted[index], own);
            let leaf = fingerprint.of_table(index) + key + fingerprint.beta * value;
            numerator += weight * claim.value;
            denominator += weight * leaf;
            covered += weight;
        }
        // The leaves beyond all tables are 0 / 1.
        denominator += Extension::ONE - covered;
        if claimed.numerator == numerator && claimed.denominator == denominator {
            Ok(())
        } else {
            Err(Rejection::Tables)
        }
    }
}

/// Checks that the roots are one number.
fn same_sum(roots: &[Children]) -> Result<(), Rejection> {
    let sums: Vec<Fraction> = roots.iter().map(Children::sum).collect();
    if sums.iter().any(|sum| sum.denominator == Extension::ZERO) {
        return Err(Rejection::ZeroDenominator);
    }
    match sums[..] {
        [a, b] if a.numerator * b.denominator == b.numerator * a.denominator => Ok(()),
        _ => Err(Rejection::Sum),
    }
}
