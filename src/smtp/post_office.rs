//! The real floors below: receiving, sending and access, as the SMTP server asks for them.
use std::net::IpAddr;

use crate::access::{Access, Trust};
use crate::base::{EmailAddress, Region, Regions};
use crate::mail::message;
use crate::mail::receiving::{self, Client, InboundMail, Receiving, Route, Routed};
use crate::mail::sending::{Grants, SendError, Sending, Submission, Terms};
use crate::smtp::auth;
use crate::smtp::auth::{KeyHolder, Login, Principal};
use crate::smtp::reply;
use crate::smtp::upstream::{InboundMessage, Refusal, SubmittedMessage, Upstream};
use crate::store;

/// Receiving, sending and access behind one counter.
pub struct PostOffice {
    receiving: Receiving,
    sending: Sending,
    access: Access,
    home: Region,
    regions: Regions,
}

impl PostOffice {
    /// A counter in front of these. `home` is the region of who logs in without a password that names one.
    pub fn new(receiving: Receiving, sending: Sending, access: Access, home: Region) -> Self {
        Self { receiving, sending, access, home, regions: Regions::default() }
    }

    /// The same, where SMTP passwords hold for these regions.
    #[must_use]
    pub fn with_regions(self, regions: Regions) -> Self {
        Self { regions, ..self }
    }
}

impl Upstream for PostOffice {
    type Route = Route;

    async fn route(&self, to: &EmailAddress, peer: IpAddr, tls: bool) -> Result<Route, Refusal> {
        match self.receiving.route(to, Client { peer, tls }).await.map_err(failed)? {
            Routed::To(route) => Ok(route),
            Routed::Nobody => Err(Refusal::from(&reply::NO_SUCH_MAILBOX)),
            Routed::NeedsTls => Err(Refusal::from(&reply::NEEDS_TLS)),
            Routed::Suspended => Err(Refusal::from(&reply::MAILBOX_DISABLED)),
            Routed::Blocked => Err(Refusal::Answer(reply::CLIENT_BLOCKED.with(peer.to_string()))),
        }
    }

    async fn authenticate(&self, login: &Login) -> Result<Option<Principal>, Refusal> {
        let caller = login.user.clone();
        let holder = match self.access.trust() {
            Trust::Anybody => Some(KeyHolder { account: Access::account_named_by(&caller), caller, secret: None }),
            Trust::KnownKeys => {
                let key = self.access.key(&caller).await.map_err(failed)?;
                key.map(|key| KeyHolder { account: key.account.clone(), caller, secret: Some(key.secret.clone()) })
            }
        };
        Ok(auth::judge(login, holder, &self.home, &self.regions))
    }

    async fn receive(&self, mail: InboundMessage<Route>) -> Result<String, Refusal> {
        let InboundMessage { id: _, source, recipients, helo, peer, tls, data } = mail;
        let taken = self.receiving.accept(InboundMail { source, recipients, helo, peer, tls, data }).await;
        taken.map_err(|error| match error {
            receiving::Error::TooManyHops => Refusal::from(&reply::TOO_MANY_HOPS),
            receiving::Error::Internal(store::Error::Full) => Refusal::from(&reply::NO_ROOM),
            other => failed(other),
        })
    }

    async fn submit(&self, mail: SubmittedMessage) -> Result<String, Refusal> {
        let Principal { account, region, caller } = mail.principal;
        // The log-in may be long ago.
        if let Some(key) = self.access.in_use(&caller)
            && !key.holds().await.map_err(failed)?
        {
            return Err(Refusal::from(&reply::LOG_IN_AGAIN));
        }
        let submission = Submission {
            account,
            region,
            caller,
            source_ip: Some(mail.peer),
            source: mail.source,
            recipients: mail.recipients,
            raw: mail.data,
            // What the message's X-SES-* fields say counts.
            configuration_set: None,
            tags: Vec::new(),
            return_path: None,
            grants: Grants::default(),
        };
        let terms = Terms { operation: Some("SendSmtpEmail"), ..Terms::default() };
        self.sending.accept_on(submission, terms).await.map_err(|error| {
            let error = of_their_lines(error, mail.own_lines);
            match reply::not_sent(&error) {
                Some(answer) => Refusal::Answer(answer),
                None => failed(error),
            }
        })
    }
}

/// The same error, where it names a line by the client's count.
fn of_their_lines(error: SendError, own_lines: usize) -> SendError {
    match error {
        SendError::Message(message::Error::BrokenHeader(line)) => {
            SendError::Message(message::Error::BrokenHeader(line.saturating_sub(own_lines)))
        }
        error => error,
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Refusal {
    Refusal::Failed(Box::new(error))
}
