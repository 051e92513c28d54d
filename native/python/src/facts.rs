//! The facts of a refusal, as Python's messages name them.

use crate::Failure;
use graph::Fault;
use key::KeyError;
use pyo3::IntoPyObject;
use std::collections::BTreeMap;

/// Facts by name.
pub type Facts = BTreeMap<&'static str, Fact>;

/// A number or a text.
#[derive(IntoPyObject)]
pub enum Fact {
    Number(u64),
    Text(String),
}

impl From<u64> for Fact {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Fact {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let facts = match &fault {
            Fault::Encoding(why) => Facts::from([("why", why.as_str().into())]),
            Fault::Count {
                what,
                got,
                least,
                most,
            } => Facts::from([
                ("what", (*what).into()),
                ("got", (*got).into()),
                ("least", (*least).into()),
                ("most", (*most).into()),
            ]),
            Fault::Tensor { which, why } => Facts::from([
                ("name", which.to_string().as_str().into()),
                ("why", why.as_str().into()),
            ]),
            Fault::Node {
                node,
                operator,
                why,
            } => Facts::from([
                ("node", (*node).into()),
                ("operator", (*operator).into()),
                ("why", why.as_str().into()),
            ]),
            Fault::Output(tensor) => Facts::from([("tensor", (*tensor).into())]),
            Fault::Weight { got, expected } => Facts::from([
                ("got", got.map_or_else(|| "nothing".into(), Fact::from)),
                ("expected", (*expected).into()),
            ]),
        };
        Self::new(fault.code(), &fault).with(facts)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let failure = Self::new(error.code(), &error);
        match &error {
            KeyError::Costly(refused) => failure.with(Facts::from([
                ("what", refused.what.as_str().into()),
                ("limit", refused.limit.into()),
            ])),
            KeyError::Unsupported(refused) => failure.with(Facts::from([
                ("node", refused.node.into()),
                ("operator", refused.operator.into()),
                ("why", refused.why.as_str().into()),
            ])),
            _ => failure,
        }
    }
}
