//! The security report.

use crate::VerifyingKey;
use commitment::Security;

impl VerifyingKey {
    /// What is proven about the soundness of proofs for this key, hash and transcript being ideal.
    pub fn security(&self) -> Security {
        let mut terms = layers::security(self.contractions());
        terms.extend(self.scheme().binding_security());
        terms.extend(self.scheme().security());
        Security::new(self.scheme().profile(), terms)
    }
}
