//! Payments of one form, for Python.

use payment::{Blank, Filled, Form, Paid, Terms};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::{Failure, apart};

#[pyclass(frozen)]
pub struct PaymentForm {
    form: Form,
    terms: Terms,
}

#[pymethods]
impl PaymentForm {
    #[new]
    fn new(
        pieces: Vec<Vec<u8>>,
        blanks: Vec<String>,
        domain: [u8; 32],
        payee: [u8; 20],
        amount: [u8; 32],
    ) -> PyResult<Self> {
        let blanks: Option<Vec<_>> = blanks.iter().map(|name| Blank::named(name)).collect();
        let form = blanks.and_then(|blanks| Form::new(pieces, &blanks).ok());
        let form =
            form.ok_or_else(|| Failure::new("FORM", "these pieces and blanks are no form"))?;
        let terms = Terms {
            domain,
            payee,
            amount,
        };
        Ok(Self { form, terms })
    }

    fn read<'py>(
        &self,
        py: Python<'py>,
        header: &[u8],
        method: &[u8],
        path: &[u8],
        body: &[u8],
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let request = (method, path, body);
        let read = apart(py, || {
            Ok(Paid::read(&self.form, &self.terms, header, request))
        })?;
        read.map(|paid| to_tuple(py, &paid)).transpose()
    }
}

fn to_tuple<'py>(py: Python<'py>, paid: &Paid) -> PyResult<Bound<'py, PyTuple>> {
    let Filled {
        payer,
        signature,
        valid_after,
        valid_before,
        nonce,
        quoted_request,
        issued_at,
        expires_at,
        quote_signature,
        salt,
    } = &paid.filled;
    (
        PyBytes::new(py, payer),
        valid_after,
        valid_before,
        PyBytes::new(py, nonce),
        PyBytes::new(py, signature),
        salt.map(|salt| PyBytes::new(py, &salt)),
        (
            PyBytes::new(py, quoted_request),
            issued_at,
            expires_at,
            PyBytes::new(py, quote_signature),
        ),
        PyBytes::new(py, &paid.request),
    )
        .into_pyobject(py)
}
