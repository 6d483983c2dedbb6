//! The SQS modes, in AWS JSON 1.0.
use std::hash::{BuildHasher, RandomState};

use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::tally::Tally;
use crate::{Failure, Mode};

/// How many groups the messages of a FIFO queue are of.
const GROUPS: u64 = 100;

/// One worker's view of the queue.
pub struct Queue {
    client: Client,
    url: String,
    filler: String,
    fifo: bool,
    /// Tells this worker's deduplication ids from the others'.
    worker: u64,
    sent: u64,
}

impl Queue {
    /// Makes the queue, or finds it, over `client`. Bodies are `body_bytes` long.
    pub async fn open(mut client: Client, name: &str, body_bytes: usize) -> Result<Self, Failure> {
        let fifo = name.ends_with(".fifo");
        let attributes = if fifo { json!({ "FifoQueue": "true" }) } else { json!({}) };
        let created = ask(&mut client, "CreateQueue", &json!({ "QueueName": name, "Attributes": attributes })).await?;
        let url = created["QueueUrl"].as_str().ok_or("CreateQueue gave no URL")?.to_owned();
        let filler = "abcdefghij klmnopqrstu".chars().cycle().take(body_bytes).collect();
        Ok(Self { client, url, filler, fifo, worker: RandomState::new().hash_one(name), sent: 0 })
    }

    /// One round of `mode`. `false` when there is nothing left to do.
    pub async fn round(&mut self, mode: Mode, tally: &mut Tally) -> Result<bool, Failure> {
        match mode {
            Mode::Send => self.send(tally).await.map(|()| true),
            Mode::SendBatch => self.send_batch(tally).await.map(|()| true),
            Mode::Cycle => {
                self.send_batch(tally).await?;
                self.receive_delete(tally).await?;
                Ok(true)
            }
            _ => self.receive_delete(tally).await,
        }
    }

    /// A body of the wanted length that differs from the one before.
    fn body(&mut self) -> String {
        self.sent += 1;
        let mark = format!("{} ", self.sent);
        let rest = self.filler.get(mark.len()..).unwrap_or_default();
        let mut body = mark + rest;
        body.truncate(self.filler.len().max(1));
        body
    }

    async fn send(&mut self, tally: &mut Tally) -> Result<(), Failure> {
        let request = json!({ "QueueUrl": self.url, "MessageBody": self.body() });
        let began = tally.begin();
        ask_raw(&mut self.client, "SendMessage", &request).await?;
        tally.end("send", began, 1);
        Ok(())
    }

    /// An entry of a batch. Messages of a FIFO queue are of a hundred groups, each worker in its own order.
    fn entry(&mut self, n: usize) -> Value {
        let body = self.body();
        if !self.fifo {
            return json!({ "Id": n.to_string(), "MessageBody": body });
        }
        let group = (self.worker.wrapping_add(self.sent / 5) % GROUPS).to_string();
        let deduplication = format!("{}-{}", self.worker, self.sent);
        json!({ "Id": n.to_string(), "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": deduplication })
    }

    /// Sends ten.
    pub async fn send_batch(&mut self, tally: &mut Tally) -> Result<(), Failure> {
        let entries: Vec<Value> = (0..10).map(|n| self.entry(n)).collect();
        let request = json!({ "QueueUrl": self.url, "Entries": entries });
        let began = tally.begin();
        let reply = ask_raw(&mut self.client, "SendMessageBatch", &request).await?;
        tally.end("send-batch", began, 10);
        all_taken(&reply)
    }

    async fn receive_delete(&mut self, tally: &mut Tally) -> Result<bool, Failure> {
        let request = json!({ "QueueUrl": self.url, "MaxNumberOfMessages": 10 });
        let began = tally.begin();
        let received = ask(&mut self.client, "ReceiveMessage", &request).await?;
        let messages = received["Messages"].as_array().map_or(&[][..], Vec::as_slice);
        tally.end("receive", began, messages.len());
        if messages.is_empty() {
            return Ok(false);
        }
        let entry = |(n, m): (usize, &Value)| json!({ "Id": n.to_string(), "ReceiptHandle": m["ReceiptHandle"] });
        let entries: Vec<Value> = messages.iter().enumerate().map(entry).collect();
        let request = json!({ "QueueUrl": self.url, "Entries": entries });
        let began = tally.begin();
        let reply = ask_raw(&mut self.client, "DeleteMessageBatch", &request).await?;
        tally.end("delete", began, messages.len());
        all_taken(&reply)?;
        Ok(true)
    }
}

fn all_taken(reply: &Reply) -> Result<(), Failure> {
    // A batch answers 200 although entries failed. Most servers leave the member out when none did.
    if !reply.body.windows(8).any(|eight| eight == b"\"Failed\"") {
        return Ok(());
    }
    let answer: Value = serde_json::from_slice(&reply.body)?;
    match answer["Failed"].as_array().is_some_and(|failed| !failed.is_empty()) {
        true => Err(answer.to_string().into()),
        false => Ok(()),
    }
}

async fn ask_raw(client: &mut Client, operation: &str, request: &Value) -> Result<Reply, Failure> {
    let body = serde_json::to_vec(request)?;
    let reply = client.post("/", Some(&format!("AmazonSQS.{operation}")), &body).await?;
    if reply.status != 200 {
        return Err(format!("{operation}: {} {}", reply.status, String::from_utf8_lossy(&reply.body)).into());
    }
    Ok(reply)
}

/// Asks an operation, and gives its answer.
pub async fn ask(client: &mut Client, operation: &str, request: &Value) -> Result<Value, Failure> {
    Ok(serde_json::from_slice(&ask_raw(client, operation, request).await?.body)?)
}
