//! One connection: carries bytes between the client and its session, and the session's questions to the floors below.
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::base::{Clock, Instant, Quiet};
use crate::smtp::gate::Place;
use crate::smtp::limits::Limits;
use crate::smtp::reply;
use crate::smtp::reply::Answer;
use crate::smtp::session::{Event, Session, Site, Wants};
use crate::smtp::tls::Tls;
use crate::smtp::upstream::{Refusal, Upstream};

/// Read buffers: small while a session waits for a command, larger within a message.
const COMMAND_BUFFER: usize = 1024;
const DATA_BUFFER: usize = 16 * 1024;
/// Replies that wait are sent at the latest when there are so many octets of them.
const OUTPUT_MAX: usize = 16 * 1024;

/// How long a client may go on sending after our last words.
const FAREWELL: Duration = Duration::from_secs(2);

/// What all connections of a listener share.
pub(super) struct Shared<U> {
    pub site: Arc<Site>,
    pub tls: Option<Arc<Tls>>,
    /// TLS from the first byte.
    pub implicit_tls: bool,
    pub upstream: Arc<U>,
    pub stop: CancellationToken,
    /// Our own failures, of which each client that goes on may cause many.
    pub failed: Quiet,
}

/// How a conversation ended, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Closed by the protocol.
    Closed,
    /// The client went away.
    Gone,
    /// The client asked for TLS.
    StartTls,
}

pub(super) struct Connection<U: Upstream> {
    shared: Arc<Shared<U>>,
    session: Session<U::Route>,
    place: Place,
    id: String,
    peer: IpAddr,
    deadline: Instant,
    /// What the session had taken when the wait for the next thing began, and when that was.
    waiting: (u64, Wants, Instant),
    /// How many mistakes have had their wait.
    mistakes: u32,
    /// Its place is needed for another.
    put_out: bool,
}

impl<U: Upstream> Connection<U> {
    pub(super) fn new(shared: Arc<Shared<U>>, place: Place, peer: IpAddr, id: String) -> Self {
        let session = Session::new(Arc::clone(&shared.site), peer, id.clone(), shared.implicit_tls);
        let now = shared.site.clock.instant();
        let deadline = now + shared.site.limits.session;
        let waiting = (0, Wants::Command, now);
        Self { shared, session, place, id, peer, deadline, waiting, mistakes: 0, put_out: false }
    }

    /// Talks until the end. The log gets one line.
    pub(super) async fn run<S>(mut self, mut stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let end = if self.shared.implicit_tls {
            self.encrypt(stream).await
        } else {
            match self.converse(&mut stream).await {
                End::StartTls => {
                    self.session.tls_started();
                    self.encrypt(stream).await
                }
                end => end,
            }
        };
        let (session, peer, messages) = (&self.id, self.peer, self.session.messages());
        tracing::info!(session.id = %session, %peer, messages, outcome = ?end, "smtp session ended");
    }

    async fn encrypt<S>(&mut self, stream: S) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let Some(tls) = self.shared.tls.clone() else { return End::Closed };
        let handshake = Box::pin(tls.acceptor().accept(stream));
        let seat = self.place.seat().clone();
        seat.rests();
        let within = seat.patience(self.limits().handshake_wait);
        let stopped = self.shared.stop.clone();
        let done = tokio::select! {
            biased;
            () = stopped.cancelled() => None,
            () = seat.asked_to_leave() => None,
            done = self.clock().timeout(within, handshake) => done,
        };
        match done {
            Some(Ok(mut stream)) => Box::pin(self.converse(&mut stream)).await,
            Some(Err(error)) => {
                tracing::info!(session.id = %self.id, peer = %self.peer, %error, "tls handshake failed");
                End::Gone
            }
            None => End::Gone,
        }
    }

    async fn converse<S>(&mut self, stream: &mut S) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        loop {
            let sent = match self.session.next_event() {
                Event::Read => match self.read(stream).await {
                    Some(()) => continue,
                    None => false,
                },
                Event::Close => {
                    self.part(stream).await;
                    return End::Closed;
                }
                Event::StartTls => match self.send(stream).await {
                    true => return End::StartTls,
                    false => false,
                },
                question => {
                    self.ask(question).await;
                    self.session.waiting_output() < OUTPUT_MAX || self.send(stream).await
                }
            };
            if !sent {
                return End::Gone;
            }
        }
    }

    /// Sends the replies so far, all at once, then waits for more; `None` when the client is gone.
    async fn read<S>(&mut self, stream: &mut S) -> Option<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        if !self.place.hold(self.session.held()) {
            // The log hears of it from the memory, once a minute.
            self.session.shed();
            self.place.hold(self.session.held());
        }
        self.tarpit().await;
        if self.put_out {
            // It is closed, and waits for nothing more.
            return Some(());
        }
        if !self.send(stream).await {
            return None;
        }
        let wants = self.session.wants();
        let now = self.clock().instant();
        let left = self.deadline.since(now);
        let (wait, size) = match wants {
            Wants::Command => (self.limits().command_wait, COMMAND_BUFFER),
            Wants::Data => (self.limits().data_wait, DATA_BUFFER),
        };
        let seat = self.place.seat().clone();
        // Who has shown what it is here for may take its time.
        let wait = if self.session.is_known() { wait } else { seat.patience(wait) };
        let wait = wait.min(self.left_of_this(wants, now));
        if left.is_zero() {
            // Said here too: who never stops sending would never run into the time-out below.
            self.session.close(&reply::SESSION_TOO_LONG);
            return Some(());
        }
        if wait.is_zero() {
            // Who sends an octet now and then holds a place for nothing.
            self.session.close(&reply::TIMED_OUT);
            return Some(());
        }
        let stop = self.shared.stop.clone();
        match wants {
            Wants::Command => seat.rests(),
            Wants::Data => seat.sends(),
        }
        let read = tokio::select! {
            biased;
            // Who is in the middle of a message may finish it.
            () = stop.cancelled(), if wants == Wants::Command => {
                self.session.shut_down();
                return Some(());
            }
            read = self.shared.site.clock.timeout(wait.min(left), stream.read_buf(self.session.input(size))) => read,
            () = seat.asked_to_leave() => {
                self.leave();
                return Some(());
            }
        };
        seat.works();
        match read {
            Some(Ok(n)) if n > 0 => {}
            Some(_) => return None,
            None if left <= wait => self.session.close(&reply::SESSION_TOO_LONG),
            None => self.session.close(&reply::TIMED_OUT),
        }
        Some(())
    }

    /// What is left of the time for the whole command, or for all of the data: it began when the client had last done
    /// what it was waited for.
    fn left_of_this(&mut self, wants: Wants, now: Instant) -> Duration {
        let progress = self.session.progress();
        if (self.waiting.0, self.waiting.1) != (progress, wants) {
            self.waiting = (progress, wants, now);
        }
        let total = match wants {
            Wants::Command => self.limits().command_wait,
            Wants::Data => self.limits().data_total,
        };
        (self.waiting.2 + total).since(now)
    }

    /// Lets who makes mistake after mistake wait for the answer.
    async fn tarpit(&mut self) {
        let mistakes = self.session.mistakes();
        let wait = self.limits().penalty(self.mistakes, mistakes);
        self.mistakes = mistakes;
        if !wait.is_zero() {
            let (stop, seat) = (self.shared.stop.clone(), self.place.seat().clone());
            seat.rests();
            tokio::select! {
                () = stop.cancelled() => {}
                () = seat.asked_to_leave() => {
                    self.leave();
                }
                () = self.clock().sleep(wait) => {}
            }
        }
    }

    /// Ends an idle session whose place is needed.
    fn leave(&mut self) {
        self.put_out = true;
        self.session.close(reply::PLACE_NEEDED.with(self.shared.site.hostname.clone()));
    }

    /// Sends the replies; false when the client does not take them.
    async fn send<S>(&mut self, stream: &mut S) -> bool
    where
        S: AsyncWrite + Unpin + Send,
    {
        let output = self.session.take_output();
        if output.is_empty() {
            return true;
        }
        let write = async {
            stream.write_all(&output).await?;
            stream.flush().await
        };
        let seat = self.place.seat().clone();
        seat.sends();
        let sent = tokio::select! {
            biased;
            sent = self.clock().timeout(seat.patience(self.limits().data_wait), write) => matches!(sent, Some(Ok(()))),
            () = seat.asked_to_leave() => false,
        };
        seat.works();
        sent
    }

    /// Says the last words and closes. A close while the client still sends would reset the connection and could take our
    /// last reply with it, so what it sends is read away for a moment.
    async fn part<S>(&mut self, stream: &mut S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        if !self.send(stream).await {
            return;
        }
        if self.put_out {
            // At once: somebody waits for the place.
            self.clock().timeout(FAREWELL, stream.shutdown()).await;
            return;
        }
        let stop = self.shared.stop.clone();
        let farewell = async {
            stream.shutdown().await?;
            let mut rest = [0; COMMAND_BUFFER];
            while stream.read(&mut rest).await? > 0 {}
            std::io::Result::Ok(())
        };
        tokio::select! {
            _ = self.clock().timeout(FAREWELL, farewell) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn ask(&mut self, question: Event<U::Route>) {
        let upstream = Arc::clone(&self.shared.upstream);
        match question {
            Event::Route(address) => {
                let answer = upstream.route(&address, self.peer, self.session.is_tls()).await;
                let answer = answer.map_err(|refusal| self.answer(refusal, &reply::LOCAL_ERROR, &self.id));
                self.session.route_answer(answer);
            }
            Event::Authenticate(login) => {
                let answer = upstream.authenticate(&login).await;
                let answer = answer.map_err(|refusal| self.answer(refusal, &reply::AUTH_FAILED_FOR_NOW, &self.id));
                if !matches!(answer, Ok(Some(_))) {
                    tracing::info!(session.id = %self.id, peer = %self.peer, user = ?login.user, "smtp login failed");
                }
                match &answer {
                    Ok(Some(principal)) if !self.place.act_for(&principal.account) => {
                        self.session.close(&reply::TOO_MANY_OF_ACCOUNT);
                    }
                    _ => self.session.login_answer(answer),
                }
            }
            Event::Receive(mail) => {
                let (id, size, started) = (mail.id.clone(), mail.data.len(), self.clock().instant());
                let answer = upstream.receive(mail).await;
                self.message_done(&id, size, started, answer);
            }
            Event::Submit(mail) => {
                let (id, size, started) = (mail.id.clone(), mail.data.len(), self.clock().instant());
                let answer = upstream.submit(mail).await;
                self.message_done(&id, size, started, answer);
            }
            Event::Read | Event::StartTls | Event::Close => {}
        }
    }

    fn message_done(&mut self, id: &str, size: usize, started: Instant, answer: Result<String, Refusal>) {
        let answer = answer.map_err(|refusal| self.answer(refusal, &reply::LOCAL_ERROR, id));
        let took = self.clock().instant().since(started);
        let (outcome, message) = match &answer {
            Ok(message) => (reply::MESSAGE_ACCEPTED.code, message.as_str()),
            Err(answer) => (answer.row.code, ""),
        };
        let (peer, duration_ms) = (self.peer, millis(took));
        tracing::info!(smtp.id = id, message.id = message, %peer, size, outcome, duration_ms, "smtp message");
        if answer.is_ok() {
            self.place.seat().known();
        }
        match answer {
            // What ends the session is said once.
            Err(answer) if answer.row == &reply::LOG_IN_AGAIN => self.session.close(answer),
            answer => self.session.message_answer(answer),
        }
    }

    /// What the client is told of a refusal. Our own failures are logged here, once, and stay with us.
    fn answer(&self, refusal: Refusal, bland: &'static reply::Reply, id: &str) -> Answer {
        match refusal {
            Refusal::Answer(answer) => answer,
            Refusal::Failed(error) => {
                let (shared, peer) = (&self.shared, self.peer);
                shared.failed.tell(&shared.site.clock, |left_out| {
                    tracing::error!(smtp.id = id, %peer, %error, left_out, "smtp request failed");
                });
                bland.with(id.to_owned())
            }
        }
    }

    fn clock(&self) -> &Clock {
        &self.shared.site.clock
    }

    fn limits(&self) -> &Limits {
        &self.shared.site.limits
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
