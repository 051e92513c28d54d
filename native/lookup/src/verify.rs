//! The relations of a proof, and its verifier.

use crate::fractions::{Children, Fraction, combine, take};
use crate::proof::Proof;
use crate::rejection::Rejection;
use crate::role::{Checker, Role};
use crate::shape::{Argument, Fingerprint, Side};
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Statement, Value, powers};
use transcript::{Extension, Site, Transcript};

/// What is claimed of one lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnClaim<V = Extension> {
    /// Most significant coordinate first.
    pub point: Vec<Extension>,
    /// The column of keys at the point.
    pub key: V,
    /// The column of values at the point, where the table has values.
    pub value: Option<V>,
}

/// What is claimed of the multiplicities of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiplicityClaim<V = Extension> {
    /// Most significant coordinate first.
    pub point: Vec<Extension>,
    /// The multiplicities at the point.
    pub value: V,
}

/// What is left to be opened: a proof is worth nothing before that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims<V = Extension> {
    /// One for each lookup.
    pub columns: Vec<ColumnClaim<V>>,
    /// One for each table.
    pub multiplicities: Vec<MultiplicityClaim<V>>,
}

/// One tree while it is reduced.
struct Tree<'a, V> {
    side: &'a Side,
    /// Whether its leaves are looked-up rows, whose numerators are 1.
    rows: bool,
    /// The claim about the layer reached, and the point that it is about.
    claim: Fraction<V>,
    point: Vec<Extension>,
}

impl<V> Tree<'_, V> {
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
        self.follow(&mut Checker::new(proof, transcript))
    }

    /// The relations of a proof, for whoever reads it. What it returns MUST be opened.
    pub fn follow<R: Role>(&self, role: &mut R) -> Result<Claims<R::Value>, Rejection> {
        let fingerprint = Fingerprint::draw(|| role.challenge());
        let [rows, entries] = self.reduce(role)?;
        let rows_at = Side::point(&rows.point);
        let entries_at = Side::point(&entries.point);
        let count = self.column_values();
        let mut columns = role.receive(Site::LookupColumns, count + self.tables().len())?;
        let multiplicities = columns.split_off(count);
        let claims = self
            .claims([columns, multiplicities], &rows_at, &entries_at)
            .ok_or(Rejection::Shape)?;
        self.rows_are(role, &fingerprint, &claims, &rows_at, rows.claim)?;
        self.entries_are(role, &fingerprint, &claims, &entries_at, entries.claim)?;
        Ok(claims)
    }

    /// From the roots to the leaves.
    fn reduce<R: Role>(&self, role: &mut R) -> Result<[Tree<'_, R::Value>; 2], Rejection> {
        let tree = |side, rows| Tree {
            side,
            rows,
            claim: Fraction {
                numerator: Extension::ZERO.into(),
                denominator: Extension::ONE.into(),
            },
            point: Vec::new(),
        };
        let mut trees = [tree(&self.rows, true), tree(&self.entries, false)];
        let mut point: Vec<Extension> = Vec::new();
        for depth in 0..self.layers() {
            let active = || trees.iter().filter(|tree| tree.reaches(depth));
            let lambda = if depth == 0 {
                Extension::ZERO
            } else {
                role.challenge()
            };
            let claim = combine(active().map(|tree| &tree.claim), lambda);
            let ended = Statement::weighted(&point, claim).verify(|| {
                let round = role.receive(Site::LookupRound, 2)?;
                Ok::<_, Rejection>((round, role.challenge()))
            })?;
            let elements = role.receive(Site::LookupChildren, self.children(depth))?;
            let mut elements = elements.into_iter();
            let children = active()
                .map(|tree| take(&mut elements, tree.rows && tree.side.height == depth + 1))
                .collect::<Option<Vec<Children<R::Value>>>>()
                .ok_or(Rejection::Shape)?;
            if depth == 0 {
                role.roots(&children)?;
            } else {
                let weights = powers(lambda.square(), children.len());
                let products = children.iter().zip(weights);
                let products = products.flat_map(|(tree, weight)| tree.products(weight, lambda));
                role.products(Rejection::Layer(depth), products.collect(), ended.left)?;
            }
            let branch = role.challenge();
            point = [&[branch], &ended.point[..]].concat();
            let active = trees.iter_mut().filter(|tree| tree.reaches(depth));
            for (tree, children) in active.zip(children) {
                tree.claim = children.at(branch);
                tree.point.clone_from(&point);
            }
        }
        Ok(trees)
    }

    /// The claims of columns and multiplicities with these values at the points of the leaves.
    pub(crate) fn claims<V: Value>(
        &self,
        [columns, multiplicities]: [Vec<V>; 2],
        rows_at: &[Extension],
        entries_at: &[Extension],
    ) -> Option<Claims<V>> {
        let mut elements = columns.into_iter();
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
            .zip(multiplicities)
            .map(|((_, point), value)| MultiplicityClaim {
                point: point.to_vec(),
                value,
            })
            .collect();
        Some(Claims {
            columns,
            multiplicities,
        })
    }

    /// That the leaves of the rows are those of the claimed columns.
    fn rows_are<R: Role>(
        &self,
        role: &mut R,
        fingerprint: &Fingerprint,
        claims: &Claims<R::Value>,
        point: &[Extension],
        claimed: Fraction<R::Value>,
    ) -> Result<(), Rejection> {
        let mut covered = Extension::ZERO;
        let mut known = Extension::ZERO;
        let mut terms = Vec::new();
        let parts = self.rows.split(point);
        for ((lookup, claim), (weight, _)) in self.lookups().iter().zip(&claims.columns).zip(parts)
        {
            known += weight * fingerprint.of_table(lookup.table);
            terms.push((weight, &claim.key));
            let value = claim.value.as_ref();
            terms.extend(value.map(|value| (weight * fingerprint.beta, value)));
            covered += weight;
        }
        // The leaves beyond all columns repeat the first entry of the first table.
        let padding = fingerprint.of(0, self.tables()[0].at(0));
        known += (Extension::ONE - covered) * padding;
        let denominator = R::Value::combination(terms) + known;
        role.equal(Rejection::Columns, claimed.numerator, Extension::ONE.into())?;
        role.equal(Rejection::Columns, claimed.denominator, denominator)
    }

    /// That the leaves of the entries are those of the tables with the claimed multiplicities.
    fn entries_are<R: Role>(
        &self,
        role: &mut R,
        fingerprint: &Fingerprint,
        claims: &Claims<R::Value>,
        point: &[Extension],
        claimed: Fraction<R::Value>,
    ) -> Result<(), Rejection> {
        let mut covered = Extension::ZERO;
        let mut terms = Vec::new();
        let mut denominator = Extension::ZERO;
        let parts = self.entries.split(point);
        let tables = self.tables().iter().enumerate();
        for (((index, table), claim), (weight, own)) in
            tables.zip(&claims.multiplicities).zip(parts)
        {
            let (key, value) = table.evaluate(&self.lifted[index], own);
            let leaf = fingerprint.of_table(index) + key + fingerprint.beta * value;
            terms.push((weight, &claim.value));
            denominator += weight * leaf;
            covered += weight;
        }
        // The leaves beyond all tables are 0 / 1.
        denominator += Extension::ONE - covered;
        let numerator = R::Value::combination(terms);
        role.equal(Rejection::Tables, claimed.numerator, numerator)?;
        role.equal(Rejection::Tables, claimed.denominator, denominator.into())
    }
}
