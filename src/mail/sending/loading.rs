//! Loads what outbound jobs need: many workers begin at once, and share a few queries.
use crate::mail::own::OutboundJob;
use crate::mail::sending::parcel::Parcel;
use crate::mail::sending::suppression;
use crate::mail::sending::terms::Known;
use crate::store::mails::Kind;
use crate::store::outgoing;
use crate::store::{Error, Gather, Reads, Store, Tx};

/// Messages up to this size, in octets, are read with the rest: as many as there are workers fit into the memory. Larger
/// ones are read when their turn has come.
const SMALL: i64 = 16 * 1024;

/// Reads parcels; `None` when the mail or its recipient is gone.
pub(super) struct Parcels {
    store: Store,
    known: Known,
}

/// Parcels for many workers.
pub(super) fn parcels(store: Store) -> Gather<Parcels> {
    let known = Known::new(&store);
    Gather::new(Parcels { store, known }, outgoing::AT_ONCE)
}

impl Reads for Parcels {
    type Key = OutboundJob;
    type Found = Option<Parcel>;

    async fn read(&self, jobs: &[OutboundJob]) -> Result<Vec<Option<Parcel>>, Error> {
        let mut reader = self.store.reader().await?;
        let places: Vec<(&str, i64)> = jobs.iter().map(|job| (job.mail.as_str(), job.recipient)).collect();
        let mut parcels = Vec::with_capacity(jobs.len());
        for found in outgoing::read(&mut reader, &places, SMALL).await? {
            parcels.push(match found {
                Some(found) => Some(self.parcel(&mut reader, found).await?),
                None => None,
            });
        }
        Ok(parcels)
    }
}

impl Parcels {
    async fn parcel(&self, tx: &mut Tx, found: outgoing::Outgoing) -> Result<Parcel, Error> {
        let terms = self.known.of(tx, &found.mail).await?;
        // Our own mails, such as the link that verifies an address, go to whoever they must.
        let suppressed = match found.mail.kind {
            Kind::User if found.is_listed => {
                suppression::suppressing(tx, &found.mail, &found.recipient.address).await?
            }
            _ => None,
        };
        Ok(Parcel::new(found, terms, suppressed))
    }
}
