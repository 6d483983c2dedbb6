//! Where a mail goes: into the inbox, or to the hosts of its recipient's domain, with a place at their site.
use std::sync::Arc;

use crate::base::{Clock, Domain};
use crate::mail::resolver::LookupError;
use crate::mail::sending::parcel::{Parcel, envelope};
use crate::mail::sending::traffic::{NoPlace, Place, Traffic};
use crate::mail::sending::transport::{Delivery, Envelope, Route, Transport};

/// Where one mail goes.
pub(super) enum Way {
    /// It is kept for the inbox.
    Inbox,
    /// Nowhere: the stored recipient is no address.
    Nowhere,
    /// To hosts.
    Out(Box<Out>),
}

/// What a mail needs to go out.
pub(super) struct Out {
    pub(super) envelope: Envelope,
    pub(super) route: Route,
    /// Held until the attempt has ended; `None` where nobody will be called.
    pub(super) place: Option<Place>,
}

/// Finds ways. Cheap to clone; clones share the places.
#[derive(Clone)]
pub(super) struct Ways {
    transport: Arc<Transport>,
    traffic: Traffic,
}

impl Ways {
    /// Ways by `transport`, for `at_once` workers.
    pub(super) fn new(transport: Arc<Transport>, clock: Clock, at_once: usize) -> Self {
        Self { transport, traffic: Traffic::new(clock, at_once) }
    }

    /// The way of a mail, with a place on it, or when to come again.
    pub(super) async fn find(&self, parcel: &Parcel) -> Result<Way, NoPlace> {
        if self.transport.options().delivery == Delivery::Capture {
            return Ok(Way::Inbox);
        }
        let Some(envelope) = envelope(parcel) else { return Ok(Way::Nowhere) };
        let (route, place) = self.route(parcel.mail.account.as_str(), envelope.recipient.domain()).await?;
        Ok(Way::Out(Box::new(Out { envelope, route, place })))
    }

    /// The route to a domain, and a place on it. A look-up that fails is a site of its own, which rests.
    async fn route(&self, account: &str, domain: Domain) -> Result<(Route, Option<Place>), NoPlace> {
        let unknown = format!("dns {domain}");
        if let Some(no_place) = self.traffic.rests(&unknown) {
            return Err(no_place);
        }
        let route = {
            let _asking = self.traffic.ask(account)?;
            self.transport.route(domain).await
        };
        if !matches!(route.error(), Some(LookupError::Temporary(_))) {
            self.traffic.works_again(&unknown);
        }
        let relay = matches!(self.transport.options().delivery, Delivery::Relay(_));
        let place = match route.error() {
            None => Some(self.traffic.enter_soon(&route.site, relay).await?),
            Some(LookupError::Temporary(_)) => Some(self.traffic.enter(&unknown, false)?),
            // Nobody will be called.
            Some(_) => None,
        };
        Ok((route, place))
    }
}
