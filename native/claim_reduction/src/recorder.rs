//! The role that turns what was sent under pads into equations.

use crate::protocol_role::{Ended, Place, ProtocolRole, Rejected, Witness};
use relation::{About, Contradiction, Form, Recorder, Unreadable};
use sumcheck::Statement;
use transcript::{Extension, Site};

impl From<Unreadable> for Rejected {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Short => Self::Short,
            Unreadable::Long => Self::Long,
        }
    }
}

impl From<Place> for About {
    fn from(place: Place) -> Self {
        match place {
            Place::Input(number) => Self("input", number),
            Place::Output(number) => Self("output", number),
            Place::Node(number) => Self("node", number),
        }
    }
}

impl ProtocolRole for Recorder<'_> {
    type Value = Form;

    fn values(
        &mut self,
        count: usize,
        _make: impl FnOnce(&Witness<'_>) -> Vec<Extension>,
    ) -> Result<Vec<Form>, Rejected> {
        Ok(self.receive(Site::Claims, count)?)
    }

    fn sumcheck(
        &mut self,
        variables: usize,
        degree: usize,
        claim: Form,
        _tables: impl FnOnce(&Witness<'_>) -> Vec<Vec<Extension>>,
    ) -> Result<Ended<Form>, Rejected> {
        let ended = Statement::sum(variables, claim).verify(|| {
            let message = self.receive(Site::Round, degree)?;
            Ok::<_, Rejected>((message, Recorder::challenge(self)))
        })?;
        Ok(Ended {
            point: ended.point,
            left: ended.left,
            values: Vec::new(),
        })
    }

    fn challenge(&mut self) -> Extension {
        Recorder::challenge(self)
    }

    fn equal(
        &mut self,
        place: Place,
        values: impl FnOnce() -> Result<[Form; 2], Rejected>,
    ) -> Result<(), Rejected> {
        let [a, b] = values()?;
        let recorded = self.equations().equal(place.into(), a, b);
        recorded.map_err(|Contradiction| Rejected::Mismatch(place))
    }

    fn product(
        &mut self,
        place: Place,
        values: impl FnOnce() -> [Form; 3],
    ) -> Result<(), Rejected> {
        let [a, b, c] = values();
        let recorded = self.equations().products(place.into(), vec![(a, b)], c);
        recorded.map_err(|Contradiction| Rejected::Mismatch(place))
    }
}
