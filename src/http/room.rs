//! Memory for the pages of a developer's machine, which show whole mails and queues: it is of the budget of all listeners.
use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;

use crate::base::AccountId;
use crate::base::memory::{Charge, Held, Memory, Whose};
use crate::http::json::json;
use crate::http::peer::Peer;

/// There is no memory for a page now.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoRoom;

impl IntoResponse for NoRoom {
    fn into_response(self) -> Response {
        let text = "there is no memory for this now: ask for less, or again";
        let mut response = json(503, &json!({ "error": text }));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
    }
}

/// Room for a page that takes so many octets while it is made. Whoever sees these pages is the operator.
pub(super) fn take(memory: &Memory, peer: Option<&Peer>, octets: u64) -> Result<Charge, NoRoom> {
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address);
    let mut charge = memory.charge(address, Whose::Account(AccountId::development()));
    charge.hold(usize::try_from(octets).unwrap_or(usize::MAX)).map_err(|_| NoRoom)?;
    Ok(charge)
}

/// The page on its way: from now on it takes no more than it is long, until it is sent.
pub(super) fn send(page: Vec<u8>, mut charge: Charge) -> Body {
    // It holds more than that.
    let _ = charge.hold(page.len());
    match charge.keep() {
        Some(held) => Body::from(Bytes::from_owner(PageOctets { page, _held: held })),
        None => Body::from(page),
    }
}

struct PageOctets {
    page: Vec<u8>,
    _held: Held,
}

impl AsRef<[u8]> for PageOctets {
    fn as_ref(&self) -> &[u8] {
        &self.page
    }
}
