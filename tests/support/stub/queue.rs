//! SQS, as far as dmsnet speaks with it: one queue whose messages are hidden for a while once they were received, and come again
//! where they are not deleted.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{ACCOUNT, Fault, unknown};

/// Most messages of one answer.
const BATCH: u64 = 10;
/// Longest wait for a message.
const WAIT: u64 = 20;

#[derive(Debug)]
struct Message {
    body: String,
    /// When it can be received, next.
    visible: Instant,
    /// How often it was received.
    given: usize,
}

/// One queue.
#[derive(Debug, Default)]
pub struct Queue {
    /// By number, the oldest first.
    messages: Mutex<(u64, BTreeMap<u64, Message>)>,
    sent: Notify,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Message>)> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message in, to be received from now on.
    pub fn send(&self, body: String) {
        {
            let (number, messages) = &mut *self.lock();
            *number += 1;
            messages.insert(*number, Message { body, visible: Instant::now(), given: 0 });
        }
        self.sent.notify_waiters();
    }

    /// Messages that are there, hidden ones included.
    pub fn depth(&self) -> usize {
        self.lock().1.len()
    }

    /// Answers a call.
    pub async fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, Fault> {
        let request: Value = serde_json::from_slice(body).map_err(|e| Fault(400, "SerializationException", e.to_string()))?;
        match operation {
            "ReceiveMessage" => self.receive(&request).await,
            "DeleteMessageBatch" => self.delete(&request),
            "ChangeMessageVisibilityBatch" => self.hide(&request),
            _ => Err(unknown(operation)),
        }
    }

    async fn receive(&self, request: &Value) -> Result<Value, Fault> {
        let number = |name: &str, most: u64, default: u64| match request[name].as_u64() {
            Some(n) if n > most => Err(Fault(400, "InvalidParameterValue", format!("{name} is at most {most}"))),
            n => Ok(n.unwrap_or(default)),
        };
        let most = usize::try_from(number("MaxNumberOfMessages", BATCH, 1)?).unwrap_or(1);
        let until = Instant::now() + Duration::from_secs(number("WaitTimeSeconds", WAIT, 0)?);
        let hidden = Duration::from_secs(request["VisibilityTimeout"].as_u64().unwrap_or(30));
        loop {
            // From here on nothing that is sent goes unseen.
            let sent = self.sent.notified();
            let (taken, next) = self.take(most, hidden);
            let now = Instant::now();
            if !taken.is_empty() || now >= until {
                return Ok(json!({ "Messages": taken }));
            }
            tokio::select! {
                () = sent => {}
                () = sleep_until(next.map_or(until, |next| next.min(until))) => {}
            }
        }
    }

    /// Those that can be received, else when the next one can.
    fn take(&self, most: usize, hidden: Duration) -> (Vec<Value>, Option<Instant>) {
        let now = Instant::now();
        let mut lock = self.lock();
        let (mut taken, mut next) = (Vec::new(), None);
        for (number, message) in &mut lock.1 {
            if taken.len() == most {
                break;
            }
            if message.visible > now {
                next = Some(next.map_or(message.visible, |next: Instant| next.min(message.visible)));
                continue;
            }
            message.visible = now + hidden;
            message.given += 1;
            let receipt = format!("{number}/{}", message.given);
            taken.push(json!({ "MessageId": number.to_string(), "ReceiptHandle": receipt, "Body": message.body }));
        }
        (taken, next)
    }

    /// Hides those whose latest receipt it is, or shows them.
    fn hide(&self, request: &Value) -> Result<Value, Fault> {
        let entries = entries(request)?;
        let now = Instant::now();
        for (number, message) in &mut self.lock().1 {
            let receipt = format!("{number}/{}", message.given);
            if let Some(entry) = entries.iter().find(|e| e["ReceiptHandle"] == *receipt) {
                message.visible = now + Duration::from_secs(entry["VisibilityTimeout"].as_u64().unwrap_or(0));
            }
        }
        self.sent.notify_waiters();
        let done: Vec<Value> = entries.iter().map(|e| json!({ "Id": e["Id"] })).collect();
        Ok(json!({ "Successful": done, "Failed": [] }))
    }

    fn delete(&self, request: &Value) -> Result<Value, Fault> {
        let entries = entries(request)?;
        // A receipt of an earlier time deletes it, too.
        let number = |e: &Value| e["ReceiptHandle"].as_str()?.split('/').next()?.parse().ok();
        let gone: HashSet<u64> = entries.iter().filter_map(number).collect();
        let mut lock = self.lock();
        gone.iter().for_each(|n| drop(lock.1.remove(n)));
        let done: Vec<Value> = entries.iter().map(|e| json!({ "Id": e["Id"] })).collect();
        Ok(json!({ "Successful": done, "Failed": [] }))
    }
}

fn entries(request: &Value) -> Result<&[Value], Fault> {
    let entries = request["Entries"].as_array().map_or(&[][..], Vec::as_slice);
    if entries.len() > BATCH as usize {
        return Err(Fault(400, "TooManyEntriesInBatchRequest", format!("at most {BATCH}")));
    }
    Ok(entries)
}

/// CloudTrail's record of a call, as EventBridge delivers it (domain.md 7).
pub fn event(operation: &str, request_id: &str, region: &str, request: Value, response: Value) -> String {
    let now = Timestamp::now();
    let detail = json!({
        "eventVersion": "1.10", "eventTime": now, "eventSource": "ec2.amazonaws.com", "eventName": operation, "awsRegion": region,
        "userIdentity": { "type": "AssumedRole", "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/admin/alice") },
        "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2.31", "requestParameters": request,
        "responseElements": response, "requestID": request_id, "eventID": format!("event-of-{request_id}"),
        "readOnly": false, "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": ACCOUNT,
    });
    json!({
        "version": "0", "id": format!("bridge-of-{request_id}"), "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2",
        "account": ACCOUNT, "time": now, "region": region, "resources": [], "detail": detail,
    })
    .to_string()
}
