//! A paid request checked in one go: its payment read by a [`Form`], the digest that the payer
//! signed, the payer's address, and the nonce that binds the payment to the request.
//!
//! It is a shorter way for payments that look like ones read before. It answers with values, or with
//! nothing; what it does not take says nothing about a payment, and the general way in Python is to
//! be asked. Tests there hold it to that way.

mod form;
mod hash;
mod paid;
mod signature;

pub use form::{Blank, Filled, Form, MalformedForm};
pub use paid::{Paid, Terms};
pub use signature::recover;
