//! AUTH: its command, the lines that follow it, and what they add up to (RFC 4954, 4).
use crate::base::Secret;
use crate::smtp::auth;
use crate::smtp::auth::Login;
use crate::smtp::reply;
use crate::smtp::reply::Reply;
use crate::smtp::session::machine::{Event, Mode, Phase, Session};

impl<R> Session<R> {
    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<String>) -> Option<Event<R>> {
        if let Some(row) = self.no_auth_now() {
            self.refuse(row);
            return None;
        }
        match (mechanism, initial) {
            ("PLAIN", Some(initial)) => {
                self.phase = Phase::PlainMessage;
                self.login_line(initial.as_bytes())
            }
            ("LOGIN", Some(initial)) => {
                self.phase = Phase::LoginUser;
                self.login_line(initial.as_bytes())
            }
            ("PLAIN", None) => self.challenge(Phase::PlainMessage, &reply::AUTH_GO_ON),
            ("LOGIN", None) => self.challenge(Phase::LoginUser, &reply::AUTH_USERNAME),
            _ => {
                self.refuse(&reply::UNKNOWN_MECHANISM);
                None
            }
        }
    }

    fn no_auth_now(&self) -> Option<&'static Reply> {
        match &self.hello {
            _ if self.site.mode == Mode::Inbound => Some(&reply::NOT_IMPLEMENTED),
            _ if self.site.mode == Mode::Submission && !self.tls => Some(&reply::STARTTLS_FIRST),
            Some(hello) if hello.extended => match () {
                () if self.principal.is_some() => Some(&reply::ALREADY_AUTHENTICATED),
                () if self.envelope.is_some() => Some(&reply::AUTH_OUT_OF_PLACE),
                () => None,
            },
            _ => Some(&reply::HELLO_FIRST),
        }
    }

    fn challenge(&mut self, phase: Phase, row: &'static Reply) -> Option<Event<R>> {
        self.phase = phase;
        self.say(row);
        None
    }

    /// A line of the dialogue: base64, or `*` to break it off.
    pub(super) fn login_line(&mut self, line: &[u8]) -> Option<Event<R>> {
        let phase = std::mem::replace(&mut self.phase, Phase::Command);
        if line == b"*" {
            self.refuse(&reply::AUTH_CANCELLED);
            return None;
        }
        let Some(text) = std::str::from_utf8(line).ok().and_then(auth::decode) else {
            self.refuse(&reply::BAD_BASE64);
            return None;
        };
        let login = match phase {
            Phase::LoginUser => return self.challenge(Phase::LoginPassword(text), &reply::AUTH_PASSWORD),
            Phase::LoginPassword(user) => Some(Login { user, password: Secret::new(text) }),
            _ => auth::plain(&text),
        };
        let Some(login) = login else {
            self.refuse(&reply::BAD_BASE64);
            return None;
        };
        self.phase = Phase::AskedLogin;
        Some(Event::Authenticate(login))
    }
}
