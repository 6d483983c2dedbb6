//! What each command does, and where it may stand (RFC 5321, 4.1.1 and 4.1.4).
use crate::base::EmailAddress;
use crate::smtp::command;
use crate::smtp::command::{Command, Mailbox};
use crate::smtp::parameters::MailParameters;
use crate::smtp::reply;
use crate::smtp::reply::{Answer, Reply};
use crate::smtp::session::machine::{Envelope, Event, Hello, Mode, Phase, Session};

impl<R> Session<R> {
    pub(super) fn run(&mut self, command: Command) -> Option<Event<R>> {
        match command {
            Command::Hello { host, extended } => self.hello(host, extended),
            Command::Mail { from, parameters } => self.mail(from, &parameters),
            Command::Recipient(mailbox) => return self.recipient(mailbox),
            Command::Data => self.data(),
            Command::Chunk { size, last } => self.chunk(size, last),
            Command::BadChunk => self.close(reply::BAD_ARGUMENTS.with("BDAT size [LAST]")),
            Command::Auth { mechanism, initial } => return self.auth(&mechanism, initial),
            Command::StartTls => return self.start_tls(),
            Command::Reset => {
                self.envelope = None;
                self.humour(&reply::OK);
            }
            Command::Noop => self.humour(&reply::OK),
            Command::Verify => self.humour(&reply::CANNOT_VERIFY),
            Command::Help => self.humour(&reply::HELP),
            Command::Expand => self.refuse(&reply::NOT_IMPLEMENTED),
            Command::Quit => self.close(reply::GOODBYE.with(self.site.hostname.clone())),
        }
        None
    }

    fn hello(&mut self, host: String, extended: bool) {
        self.hello = Some(Hello { host, extended });
        self.envelope = None;
        let ours = self.site.hostname.clone();
        if !extended {
            return self.humour(reply::HELLO.with(ours));
        }
        self.idle += 1;
        if self.idle > self.site.limits.idle_commands {
            return self.refuse(&reply::TOO_MANY_ERRORS);
        }
        reply::write_keywords(&ours, &self.keywords(), &mut self.output);
    }

    fn keywords(&self) -> Vec<String> {
        let mut words = vec!["PIPELINING".to_owned(), format!("SIZE {}", self.site.limits.message_size)];
        words.extend(["8BITMIME", "SMTPUTF8", "CHUNKING"].map(str::to_owned));
        // Who says this word begins all such replies with a code (RFC 2034, 4). SES does neither, and clients read the id of
        // the message behind `250 Ok`.
        if self.site.mode == Mode::Inbound {
            words.push("ENHANCEDSTATUSCODES".to_owned());
        }
        if self.site.starttls && !self.tls {
            words.push("STARTTLS".to_owned());
        }
        if self.site.mode == Mode::Capture || (self.site.mode == Mode::Submission && self.tls) {
            words.push("AUTH PLAIN LOGIN".to_owned());
        }
        words
    }

    fn mail(&mut self, from: Option<EmailAddress>, parameters: &MailParameters) {
        if let Some(row) = self.not_now() {
            return self.refuse(row);
        }
        let limits = &self.site.limits;
        if self.messages >= limits.messages {
            return self.close(&reply::TOO_MANY_MESSAGES);
        }
        let max = limits.message_size;
        if parameters.size.is_some_and(|size| usize::try_from(size).map_or(true, |size| size > max)) {
            return self.refuse(self.too_big());
        }
        if self.site.mode == Mode::Submission && from.is_none() {
            return self.refuse(&reply::NO_NULL_SENDER);
        }
        if self.site.mode == Mode::Submission && !from.as_ref().is_none_or(EmailAddress::is_strict) {
            return self.refuse(&reply::BAD_SENDER);
        }
        let (recipients, routes) = (Vec::new(), Vec::new());
        let smtputf8 = parameters.smtputf8;
        self.envelope = Some(Envelope { from, smtputf8, recipients, routes, refused: 0, body: None });
        self.say(&reply::SENDER_OK);
    }

    /// Why no transaction may begin now.
    fn not_now(&self) -> Option<&'static Reply> {
        let submission = self.site.mode == Mode::Submission;
        match () {
            () if self.hello.is_none() => Some(&reply::HELLO_FIRST),
            () if submission && !self.tls => Some(&reply::STARTTLS_FIRST),
            () if submission && self.principal.is_none() => Some(&reply::AUTH_FIRST),
            () if self.envelope.is_some() => Some(&reply::NESTED_MAIL),
            () => None,
        }
    }

    pub(super) fn too_big(&self) -> Answer {
        reply::TOO_BIG.with(self.site.limits.message_size.to_string())
    }

    fn recipient(&mut self, mailbox: Mailbox) -> Option<Event<R>> {
        let address = match mailbox {
            Mailbox::Address(address) => Some(address),
            Mailbox::Postmaster => format!("postmaster@{}", self.site.hostname).parse().ok(),
        };
        let max = match self.site.mode {
            Mode::Inbound | Mode::Capture => self.site.limits.recipients_inbound,
            Mode::Submission => self.site.limits.recipients_submission,
        };
        let refusal = match (&mut self.envelope, address) {
            (None, _) => Answer::from(&reply::SENDER_FIRST),
            (Some(envelope), _) if envelope.body.is_some() => Answer::from(&reply::CHUNKS_BEGUN),
            (_, None) => Answer::from(&reply::BAD_RECIPIENT),
            (Some(envelope), Some(address)) => match command::ascii_unless(envelope.smtputf8, Some(&address)) {
                Err(answer) => answer,
                Ok(()) if envelope.recipients.contains(&address) => {
                    self.say(&reply::RECIPIENT_OK);
                    return None;
                }
                Ok(()) if envelope.recipients.len() >= max => {
                    self.say(&reply::TOO_MANY_RECIPIENTS);
                    return None;
                }
                Ok(()) if self.site.mode == Mode::Submission && !address.is_strict() => {
                    Answer::from(&reply::BAD_RECIPIENT)
                }
                Ok(()) if self.site.mode == Mode::Submission => {
                    envelope.recipients.push(address);
                    self.say(&reply::RECIPIENT_OK);
                    return None;
                }
                Ok(()) => {
                    self.phase = Phase::AskedRoute(address.clone());
                    return Some(Event::Route(address));
                }
            },
        };
        self.refuse(refusal);
        None
    }

    fn start_tls(&mut self) -> Option<Event<R>> {
        if self.tls {
            self.refuse(&reply::ALREADY_TLS);
        } else if !self.site.starttls {
            self.refuse(&reply::NOT_IMPLEMENTED);
        } else {
            // Commands that came with STARTTLS were not protected: they are never carried out.
            self.input.clear();
            self.say(&reply::START_TLS);
            self.phase = Phase::Handshake;
            return Some(Event::StartTls);
        }
        None
    }
}
