//! Load for a running server, end to end: real requests with real signatures over kept-open connections.
//!
//! ```text
//! postrider serve … &
//! cargo build --release --locked --manifest-path bench/load/Cargo.toml --target-dir target/bench-load
//! load=target/bench-load/release/load
//! $load cycle --access-key AKIA… --secret … --concurrency 16 --seconds 10
//! $load cycle --prefill 1000000 …     # the same with a million messages waiting
//! $load fan-out --subscriptions 10000 --publishes 1 …    # one topic, many queues
//! ```
mod client;
mod fan_out;
mod mail;
mod queue;
mod sigv4;
mod sink;
mod tally;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};

use client::Client;
use mail::{Mail, Smtp};
use queue::Queue;
use sigv4::Signer;
use tally::Tally;

/// Why a run ends early: one line for the person who runs it.
type Failure = Box<dyn std::error::Error>;

/// Sends load to a running Postrider, or to anything that speaks SQS and SES, and prints messages/s and latencies.
#[derive(Clone, Parser)]
struct Flags {
    /// What to do in each round
    #[arg(value_enum)]
    mode: Mode,
    /// Where the AWS endpoint is
    #[arg(long, default_value = "http://127.0.0.1:4566", env = "AWS_ENDPOINT_URL")]
    endpoint: String,
    /// Name of the queue; made if it is not there
    #[arg(long, default_value = "load")]
    queue: String,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    /// Length of each body
    #[arg(long, default_value_t = 1_024)]
    body_bytes: usize,
    /// How long to go on
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// First send so many messages to the queue, in batches
    #[arg(long, default_value_t = 0)]
    prefill: usize,
    #[arg(long, default_value = "us-east-1", env = "AWS_DEFAULT_REGION")]
    region: String,
    #[arg(long, default_value = "dev", env = "AWS_ACCESS_KEY_ID")]
    access_key: String,
    #[arg(long, default_value = "dev", env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    secret: String,
    /// fan-out: queues that are subscribed to the topic
    #[arg(long, default_value_t = 100)]
    subscriptions: usize,
    /// fan-out: messages that are published to it
    #[arg(long, default_value_t = 1_000)]
    publishes: usize,
    /// fan-out: whether the queues get the message without an envelope
    #[arg(long)]
    raw: bool,
    /// smtp-in: where incoming mail goes
    #[arg(long, default_value = "127.0.0.1:2525")]
    smtp: String,
    /// sink: where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// sink: how many different mails to wait for
    #[arg(long, default_value_t = 1)]
    expect: usize,
    /// sink: how long each answer takes
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// send-email: stop after so many mails in all; 0 for no end
    #[arg(long, default_value_t = 0)]
    mails: usize,
    /// send-email: send to so many domains in turn: d0., d1., … before the domain of --to; 0 for --to itself
    #[arg(long, default_value_t = 0)]
    domains: usize,
    /// send-email: send from so many addresses in turn: s0., s1., … before the local part of --from; 0 for --from itself
    #[arg(long, default_value_t = 0)]
    senders: usize,
    /// send-email and smtp-in: the sender
    #[arg(long, default_value = "load@example.com")]
    from: String,
    /// send-email and smtp-in: the recipient
    #[arg(long, default_value = "someone@example.com")]
    to: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// SendMessage
    Send,
    /// SendMessageBatch of ten
    SendBatch,
    /// Send ten, receive ten, delete ten
    Cycle,
    /// Receive ten, delete ten, until the queue is empty
    ReceiveDelete,
    /// Nothing but --prefill
    Prefill,
    /// SES v2 SendEmail
    SendEmail,
    /// SMTP into the MX port
    SmtpIn,
    /// SNS Publish to a topic with many queues, until each has every message
    FanOut,
    /// No load, but a receiver for it: counts mails until --expect have come
    Sink,
}

fn main() -> Result<(), Failure> {
    let flags = Flags::parse();
    // One thread: the server is to have the rest of the machine.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::task::LocalSet::new().run_until(run(flags)))
}

async fn run(flags: Flags) -> Result<(), Failure> {
    if flags.mode == Mode::FanOut {
        return fan_out::run(&flags).await;
    }
    if flags.mode == Mode::Sink {
        return sink::run(&flags.listen, flags.expect, Duration::from_millis(flags.delay_ms)).await;
    }
    if flags.prefill > 0 {
        let left = Rc::new(Cell::new(flags.prefill));
        let began = Instant::now();
        let total = together(&flags, |flags| fill(flags, left.clone())).await?;
        println!("prefilled {} messages in {:.1} s", flags.prefill, began.elapsed().as_secs_f64());
        print!("{}", total.report(began.elapsed()));
    }
    if flags.mode == Mode::Prefill {
        return Ok(());
    }
    let began = Instant::now();
    let until = began + Duration::from_secs(flags.seconds);
    let left = Rc::new(Cell::new(if flags.mails == 0 { usize::MAX } else { flags.mails }));
    let total = together(&flags, |flags| work(flags, until, left.clone())).await?;
    print!("{}", total.report(began.elapsed()));
    Ok(())
}

/// Runs `one` for each connection, and adds up their figures.
async fn together<W>(flags: &Flags, one: impl Fn(Flags) -> W) -> Result<Tally, Failure>
where
    W: Future<Output = Result<Tally, Failure>> + 'static,
{
    let running: Vec<_> = (0..flags.concurrency).map(|_| tokio::task::spawn_local(one(flags.clone()))).collect();
    let mut total = Tally::default();
    for worker in running {
        total.add(worker.await??);
    }
    Ok(total)
}

async fn connect(flags: &Flags, service: &'static str) -> Result<Client, Failure> {
    let host = flags.endpoint.strip_prefix("http://").ok_or("the endpoint must start with http://")?;
    let signer = Signer::new(&flags.access_key, &flags.secret, &flags.region, service);
    Ok(Client::connect(host.trim_end_matches('/'), signer).await?)
}

async fn fill(flags: Flags, left: Rc<Cell<usize>>) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let mut queue = Queue::open(connect(&flags, "sqs").await?, &flags.queue, flags.body_bytes).await?;
    while left.get() > 0 {
        left.set(left.get().saturating_sub(10));
        queue.send_batch(&mut tally).await?;
    }
    Ok(tally)
}

async fn work(flags: Flags, until: Instant, left: Rc<Cell<usize>>) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let text = "A line of text for a mail that nobody reads.\r\n".repeat(flags.body_bytes / 46 + 1);
    let mail = Mail { from: flags.from.clone(), to: flags.to.clone(), text };
    match flags.mode {
        Mode::SendEmail => {
            let mut client = connect(&flags, "ses").await?;
            while Instant::now() < until && left.get() > 0 {
                left.set(left.get() - 1);
                let to = match (flags.domains, flags.to.split_once('@')) {
                    (1.., Some((local, domain))) => format!("{local}@d{}.{domain}", left.get() % flags.domains),
                    _ => flags.to.clone(),
                };
                let from = match flags.senders {
                    0 => flags.from.clone(),
                    senders => format!("s{}.{}", left.get() % senders, flags.from),
                };
                mail::send_email(&mut client, &Mail { from, to, ..mail.clone() }, &mut tally).await?;
            }
        }
        Mode::SmtpIn => {
            let mut session = Smtp::connect(&flags.smtp).await?;
            while Instant::now() < until {
                session.send(&mail, &mut tally).await?;
            }
        }
        mode => {
            let mut queue = Queue::open(connect(&flags, "sqs").await?, &flags.queue, flags.body_bytes).await?;
            while Instant::now() < until && queue.round(mode, &mut tally).await? {}
        }
    }
    Ok(tally)
}
