//! The fan-out mode: one topic, many queues subscribed to it, some publishes, and somebody else who sends meanwhile.
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::client::Client;
use crate::queue::ask;
use crate::tally::Tally;
use crate::{Failure, Flags, connect};

/// How long the bystander waits between two messages.
const PAUSE: Duration = Duration::from_millis(2);
/// How often it is looked whether all copies are there.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What all connections share.
struct Run {
    flags: Flags,
    name: String,
    topic: String,
    account: String,
    left: Cell<usize>,
    over: Cell<bool>,
}

impl Run {
    fn queue(&self, n: usize) -> String {
        format!("{}-{n}", self.name)
    }

    /// Gives the numbers below the one that was set, each once.
    fn take(&self) -> Option<usize> {
        let left = self.left.get().checked_sub(1)?;
        self.left.set(left);
        Some(left)
    }
}

/// Subscribes the queues, publishes, waits until each queue has every message, and prints how long it took.
pub async fn run(flags: &Flags) -> Result<(), Failure> {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let name = format!("{}-fan-{started}", flags.queue);
    let mut sns = connect(flags, "sns").await?;
    let made = sns.query(&[("Action", "CreateTopic"), ("Name", &name)]).await?;
    let topic = element(&made, "TopicArn").ok_or("CreateTopic gave no ARN")?;
    let account = topic.split(':').nth(4).unwrap_or_default().to_owned();
    let left = Cell::new(flags.subscriptions);
    let run = Rc::new(Run { flags: flags.clone(), name, topic, account, left, over: Cell::new(false) });

    let began = Instant::now();
    together(&run, subscribe).await?;
    println!("subscribed {} queues in {:.1} s", flags.subscriptions, began.elapsed().as_secs_f64());

    run.left.set(flags.publishes);
    let beside = tokio::task::spawn_local(bystander(run.clone()));
    let began = Instant::now();
    let mut total = together(&run, publish).await?;
    let published = began.elapsed();
    run.left.set(flags.subscriptions);
    together(&run, wait).await?;
    let delivered = began.elapsed();
    run.over.set(true);
    total.add(beside.await??);
    let copies = flags.publishes * flags.subscriptions;
    println!(
        "{} publishes in {:.2} s; all {copies} copies there after {:.2} s: {:.0} copies/s",
        flags.publishes,
        published.as_secs_f64(),
        delivered.as_secs_f64(),
        copies as f64 / delivered.as_secs_f64()
    );
    print!("{}", total.report(delivered));
    Ok(())
}

async fn together<W>(run: &Rc<Run>, one: impl Fn(Rc<Run>) -> W) -> Result<Tally, Failure>
where
    W: Future<Output = Result<Tally, Failure>> + 'static,
{
    let running: Vec<_> = (0..run.flags.concurrency).map(|_| tokio::task::spawn_local(one(run.clone()))).collect();
    let mut total = Tally::default();
    for worker in running {
        total.add(worker.await??);
    }
    Ok(total)
}

async fn subscribe(run: Rc<Run>) -> Result<Tally, Failure> {
    let (mut sns, mut sqs) = (connect(&run.flags, "sns").await?, connect(&run.flags, "sqs").await?);
    while let Some(n) = run.take() {
        let queue = run.queue(n);
        ask(&mut sqs, "CreateQueue", &json!({ "QueueName": queue })).await?;
        let endpoint = format!("arn:aws:sqs:{}:{}:{queue}", run.flags.region, run.account);
        let raw = if run.flags.raw { "true" } else { "false" };
        sns.query(&[
            ("Action", "Subscribe"),
            ("TopicArn", &run.topic),
            ("Protocol", "sqs"),
            ("Endpoint", &endpoint),
            ("Attributes.entry.1.key", "RawMessageDelivery"),
            ("Attributes.entry.1.value", raw),
        ])
        .await?;
    }
    Ok(Tally::default())
}

async fn publish(run: Rc<Run>) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let mut sns = connect(&run.flags, "sns").await?;
    let filler: String = "abcdefghij klmnopqrstu".chars().cycle().take(run.flags.body_bytes.max(1)).collect();
    while run.take().is_some() {
        let began = tally.begin();
        sns.query(&[("Action", "Publish"), ("TopicArn", &run.topic), ("Message", &filler)]).await?;
        tally.end("publish", began, 1);
    }
    Ok(tally)
}

/// Waits until queues have every message.
async fn wait(run: Rc<Run>) -> Result<Tally, Failure> {
    let mut sqs = connect(&run.flags, "sqs").await?;
    while let Some(n) = run.take() {
        let url = format!("{}/{}/{}", run.flags.endpoint.trim_end_matches('/'), run.account, run.queue(n));
        let request = json!({ "QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"] });
        loop {
            let got = ask(&mut sqs, "GetQueueAttributes", &request).await?;
            let count = got["Attributes"]["ApproximateNumberOfMessages"].as_str().and_then(|text| text.parse().ok());
            if count.unwrap_or(0) >= run.flags.publishes {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(Tally::default())
}

/// Somebody who has nothing to do with the topic, and should not notice it.
async fn bystander(run: Rc<Run>) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let mut sqs = connect(&run.flags, "sqs").await?;
    let made = ask(&mut sqs, "CreateQueue", &json!({ "QueueName": format!("{}-other", run.name) })).await?;
    let request = json!({ "QueueUrl": made["QueueUrl"], "MessageBody": "hello" });
    while !run.over.get() {
        let began = tally.begin();
        ask(&mut sqs, "SendMessage", &request).await?;
        tally.end("bystander", began, 1);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(tally)
}

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    Some(after.split_once(&format!("</{name}>"))?.0.to_owned())
}

impl Client {
    /// Asks an operation of the Query protocol, and gives its XML.
    async fn query(&mut self, pairs: &[(&str, &str)]) -> Result<String, Failure> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Version", "2010-03-31")
            .extend_pairs(pairs)
            .finish();
        let reply = self.post_as("/", "application/x-www-form-urlencoded", None, body.as_bytes()).await?;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        if reply.status == 200 { Ok(text) } else { Err(format!("{pairs:?}: {} {text}", reply.status).into()) }
    }
}
