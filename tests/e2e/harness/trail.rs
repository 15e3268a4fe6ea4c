//! CloudTrail and EventBridge, as far as a change queue sees them: a queue, and events for calls that were made.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Map, Value, json};

use super::{
    Call, Emulator,
    emulator::{ACCOUNT, CONTROLLER_KEY, REGION},
};

/// Who calls with the test's key.
pub const ALICE: &str = "arn:aws:sts::111122223333:assumed-role/admin/alice";
const DMSNET: &str = "arn:aws:sts::111122223333:assumed-role/dmsnet/session";

pub struct Trail {
    sqs: aws_sdk_sqs::Client,
    pub url: String,
}

impl Trail {
    /// With a queue of that name.
    pub async fn new(aws: &Emulator, queue: &str) -> Self {
        Self::in_region(aws, REGION, queue).await
    }

    pub async fn in_region(aws: &Emulator, region: &'static str, queue: &str) -> Self {
        let trail = Self { sqs: aws.sqs_in(region), url: Self::url(aws, queue) };
        trail.create(queue).await;
        trail
    }

    /// The URL that a queue of that name has, or would have.
    pub fn url(aws: &Emulator, queue: &str) -> String {
        format!("{}/{ACCOUNT}/{queue}", aws.url)
    }

    pub async fn create(&self, queue: &str) {
        let made = self.sqs.create_queue().queue_name(queue).send().await.unwrap();
        assert_eq!(made.queue_url(), Some(self.url.as_str()));
    }

    /// Without a queue yet.
    pub fn missing(aws: &Emulator, queue: &str) -> Self {
        Self { sqs: aws.sqs(), url: Self::url(aws, queue) }
    }

    /// Gives it a dead-letter queue, for messages that were received so often.
    pub async fn dead_letters(&self, after: u32) -> Self {
        let url = format!("{}-dead", self.url);
        let dead = Self { sqs: self.sqs.clone(), url };
        let name = dead.url.rsplit('/').next().unwrap();
        dead.create(name).await;
        let policy = json!({ "deadLetterTargetArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"), "maxReceiveCount": after });
        let call = self.sqs.set_queue_attributes().queue_url(&self.url).attributes(QueueAttributeName::RedrivePolicy, policy.to_string());
        call.send().await.unwrap();
        dead
    }

    /// What has been received comes again, as if the time had passed for which SQS hides it. How many messages those are.
    pub fn show(&self, aws: &Emulator) -> u64 {
        let name = self.url.rsplit('/').next().unwrap();
        aws.post(&format!("queues/{name}/show"), json!({ "account": ACCOUNT, "region": REGION }))["shown"].as_u64().unwrap()
    }

    /// Takes a message out, as whoever looks at dead letters does.
    pub async fn receive(&self) -> Option<String> {
        let answer = self.sqs.receive_message().queue_url(&self.url).send().await.unwrap();
        answer.messages.unwrap_or_default().pop()?.body
    }

    /// Tells of these calls, as CloudTrail does: of everybody's, also those that failed.
    pub async fn tell(&self, calls: &[Call]) {
        for call in calls.iter().filter(|c| c.mutating && c.service == "ec2") {
            self.send(&event(call).to_string()).await;
        }
    }

    /// Puts any text into the queue.
    pub async fn send(&self, body: &str) {
        self.sqs.send_message().queue_url(&self.url).message_body(body).send().await.unwrap();
    }

    /// Messages that are there, hidden ones included.
    pub async fn depth(&self) -> u32 {
        let names = [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible];
        let answer = self.sqs.get_queue_attributes().queue_url(&self.url).set_attribute_names(Some(names.to_vec())).send().await;
        let attributes = answer.unwrap().attributes.unwrap();
        names.iter().map(|n| attributes[n].parse::<u32>().unwrap()).sum()
    }
}

/// CloudTrail's record of a call, as EventBridge delivers it (domain.md 7).
pub fn event(call: &Call) -> Value {
    let ours = call.access_key == CONTROLLER_KEY;
    let at = jiff::Timestamp::from_millisecond((call.at * 1000.0) as i64).unwrap();
    let mut detail = json!({
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "AssumedRole", "accountId": ACCOUNT, "principalId": "AROAEXAMPLE:session",
            "arn": if ours { DMSNET } else { ALICE },
        },
        "eventTime": at, "eventSource": "ec2.amazonaws.com", "eventName": call.operation, "awsRegion": REGION,
        "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2.31",
        "requestParameters": request(&call.operation, call.params.as_object().unwrap()), "responseElements": { "_return": true },
        "requestID": call.request_id, "eventID": format!("event-{}", call.seq), "readOnly": false, "eventType": "AwsApiCall",
        "managementEvent": true, "recipientAccountId": ACCOUNT, "eventCategory": "Management",
    });
    if !call.code.is_empty() {
        detail["errorCode"] = format!("Client.{}", call.code).into();
        detail["responseElements"] = Value::Null;
    }
    json!({
        "version": "0", "id": format!("bridge-{}", call.seq), "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2",
        "account": ACCOUNT, "time": at, "region": REGION, "resources": [], "detail": detail,
    })
}

/// The parameters in the shape of the operation's generation.
fn request(operation: &str, flat: &Map<String, Value>) -> Value {
    let newer = ["ModifySecurityGroupRules", "CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints"].contains(&operation);
    let mut tree = Value::Null;
    for (name, value) in flat {
        let parts: Vec<String> = name.split('.').map(|part| if newer { part.to_owned() } else { lower(part) }).collect();
        put(&mut tree, &parts, value.clone(), newer);
    }
    if newer { json!({ format!("{operation}Request"): tree }) } else { tree }
}

/// `IpPermissions.1.FromPort`: the older generation has `{"items": […]}` for lists; the newer tags entries, and a list of one is
/// an object.
fn put(tree: &mut Value, parts: &[String], value: Value, newer: bool) {
    let Some((first, rest)) = parts.split_first() else {
        *tree = if newer && tree.is_object() { json!({ "content": value }) } else { value };
        return;
    };
    if first.bytes().all(|b| b.is_ascii_digit()) {
        let list = if newer { tree } else { &mut tree["items"] };
        if !list.is_array() {
            *list = json!([]);
        }
        let (index, list) = (first.parse::<usize>().unwrap() - 1, list.as_array_mut().unwrap());
        while list.len() <= index {
            list.push(if newer { json!({ "tag": list.len() + 1 }) } else { Value::Null });
        }
        put(&mut list[index], rest, value, newer);
    } else {
        put(&mut tree[first.as_str()], rest, value, newer);
    }
}

fn lower(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
