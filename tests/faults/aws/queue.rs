//! The change queue: messages come late, twice and in any order, and come again where they are not deleted.

use std::{sync::Mutex, time::Duration};

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{chance::happens, clock::Clock};

struct Message {
    number: usize,
    body: String,
    /// When it can be received, next.
    visible: Duration,
    /// How often it was received.
    given: usize,
}

/// One queue.
pub struct Queue {
    clock: Clock,
    messages: Mutex<Vec<Message>>,
    sent: watch::Sender<usize>,
}

impl Queue {
    pub fn new(clock: Clock) -> Self {
        Self { clock, messages: Mutex::default(), sent: watch::Sender::new(0) }
    }

    /// Puts a message in: it is there some time later, and maybe twice.
    pub fn send(&self, rng: &mut Rng, body: &str) {
        for _ in 0..if happens(rng, 0.3) { 2 } else { 1 } {
            let visible = self.clock.elapsed() + Duration::from_millis(rng.u64(300..30_000));
            let number = *self.sent.borrow() + 1;
            self.messages.lock().unwrap().push(Message { number, body: body.to_owned(), visible, given: 0 });
            self.sent.send_replace(number);
        }
    }

    /// Messages that are there, hidden ones included.
    pub fn depth(&self) -> usize {
        self.messages.lock().unwrap().len()
    }

    /// Tells that these IDs were touched, as EventBridge does of CloudTrail's records.
    pub fn touched(&self, rng: &mut Rng, region: &str, call: &str, ids: &[&str]) {
        let number = *self.sent.borrow();
        let detail = json!({
            "eventVersion": "1.10", "eventSource": "ec2.amazonaws.com", "eventName": call, "awsRegion": region,
            "userIdentity": { "type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/admin/alice" },
            "sourceIPAddress": "203.0.113.7", "requestParameters": { "items": ids }, "responseElements": { "_return": true },
            "requestID": format!("request-{number}"), "eventID": format!("event-{number}"), "eventTime": "2026-03-01T00:00:00Z",
        });
        let event = json!({
            "version": "0", "id": format!("bridge-{number}"), "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2",
            "account": crate::stub::ACCOUNT, "region": region, "detail": detail,
        });
        self.send(rng, &event.to_string());
    }

    /// Answers a call of SQS.
    pub async fn answer(&self, operation: &str, request: &Value) -> Value {
        if operation == "ReceiveMessage" {
            let most = request["MaxNumberOfMessages"].as_u64().unwrap_or(1);
            let wait = Duration::from_secs(request["WaitTimeSeconds"].as_u64().unwrap_or(0));
            let hidden = Duration::from_secs(request["VisibilityTimeout"].as_u64().unwrap_or(30));
            let some = timeout(wait, self.received(usize::try_from(most).unwrap_or(1), hidden)).await;
            return json!({ "Messages": some.unwrap_or_default() });
        }
        let entries = request["Entries"].as_array().cloned().unwrap_or_default();
        let mut messages = self.messages.lock().unwrap();
        let done: Vec<Value> = entries.iter().map(|e| json!({ "Id": e["Id"] })).collect();
        if operation == "ChangeMessageVisibilityBatch" {
            for message in messages.iter_mut() {
                let receipt = format!("{}/{}", message.number, message.given);
                if let Some(entry) = entries.iter().find(|e| e["ReceiptHandle"] == *receipt) {
                    message.visible = self.clock.elapsed() + Duration::from_secs(entry["VisibilityTimeout"].as_u64().unwrap_or(0));
                }
            }
            self.sent.send_modify(|_| {});
            return json!({ "Successful": done, "Failed": [] });
        }
        assert_eq!(operation, "DeleteMessageBatch");
        // A receipt of an earlier time deletes it, too.
        messages.retain(|m| {
            !entries.iter().any(|e| e["ReceiptHandle"].as_str().and_then(|r| r.split('/').next()) == Some(&m.number.to_string()))
        });
        json!({ "Successful": done, "Failed": [] })
    }

    async fn received(&self, most: usize, hidden: Duration) -> Vec<Value> {
        let mut sent = self.sent.subscribe();
        loop {
            let now = self.clock.elapsed();
            let mut next = Duration::from_secs(3600);
            {
                let mut messages = self.messages.lock().unwrap();
                let mut taken = Vec::new();
                // The latest first: nobody may rely on the order.
                for message in messages.iter_mut().rev() {
                    if message.visible > now {
                        next = next.min(message.visible - now);
                    } else if taken.len() < most {
                        message.visible = now + hidden;
                        message.given += 1;
                        let receipt = format!("{}/{}", message.number, message.given);
                        taken.push(json!({ "MessageId": message.number.to_string(), "ReceiptHandle": receipt, "Body": message.body }));
                    }
                }
                if !taken.is_empty() {
                    return taken;
                }
            }
            tokio::select! {
                biased;
                _ = sent.changed() => {}
                () = sleep(next) => {}
            }
        }
    }
}
