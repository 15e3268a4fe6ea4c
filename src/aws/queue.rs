//! A change queue: an SQS queue that is told of changes (domain.md 7). Messages come at least once and in any order.

use std::time::Duration;

use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};

use super::{
    clients::Clients,
    errors::{AwsError, AwsErrorKind},
};

/// How long SQS keeps a question open until there is a message: the longest that it allows, so that an idle queue costs least.
const WAIT: i32 = 20;
/// Messages in one answer, and in one deletion: the most that SQS allows.
const BATCH: usize = 10;
/// How long a message that we were given is hidden from others: mostly it is looked after well within that.
pub const HIDDEN: Duration = Duration::from_secs(60);
/// The answer may come at the end of the wait.
const ATTEMPT: Duration = Duration::from_secs(WAIT as u64 + 8);

/// One queue.
#[derive(Clone, Debug)]
pub struct Queue {
    sqs: aws_sdk_sqs::Client,
    url: String,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What stands in it.
    pub body: String,
    /// To delete it by.
    pub receipt: String,
}

impl Queue {
    /// The queue with this URL, with the credentials of `clients`. Talks to nobody yet.
    pub fn new(clients: &Clients, url: &str) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(ATTEMPT).build();
        // Whoever reads it asks again anyway, and tells what is wrong.
        let mut config = clients.sqs.clone().timeout_config(timeouts).retry_config(RetryConfig::disabled());
        if let Some(region) = region_of(url) {
            config = config.region(aws_sdk_sqs::config::Region::new(region.to_owned()));
        }
        Self { sqs: aws_sdk_sqs::Client::from_conf(config.build()), url: url.to_owned() }
    }

    /// Waits for messages (SQS ReceiveMessage): up to 20 s, or `soon`, up to 1.
    pub async fn receive(&self, soon: bool) -> Result<Vec<Message>, AwsError> {
        let call = self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(BATCH as i32);
        let answer = call.wait_time_seconds(if soon { 1 } else { WAIT }).visibility_timeout(HIDDEN.as_secs() as i32).send().await;
        let answer = answer.map_err(|e| AwsError::from_sdk("sqs", "ReceiveMessage", &self.url, &e))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages.filter_map(|m| Some(Message { body: m.body.unwrap_or_default(), receipt: m.receipt_handle? })).collect())
    }

    /// Deletes messages (SQS DeleteMessageBatch). Those that cannot be deleted come again.
    pub async fn delete(&self, receipts: &[String]) -> Result<(), AwsError> {
        const OPERATION: &str = "DeleteMessage";
        let deletions = receipts.chunks(BATCH).map(|chunk| async move {
            let entry = |(i, receipt): (usize, &String)| {
                DeleteMessageBatchRequestEntry::builder().id(i.to_string()).receipt_handle(receipt).build()
            };
            let entries: Result<Vec<_>, _> = chunk.iter().enumerate().map(entry).collect();
            let entries = entries.map_err(|e| AwsError::new(AwsErrorKind::InvalidRequest, "sqs", OPERATION, &self.url, e.to_string()))?;
            let answer = self.sqs.delete_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await;
            let answer = answer.map_err(|e| AwsError::from_sdk("sqs", OPERATION, &self.url, &e))?;
            match answer.failed.first() {
                Some(e) => Err(AwsError::from_code("sqs", OPERATION, &self.url, &e.code, e.message.as_deref().unwrap_or_default())),
                None => Ok(()),
            }
        });
        futures::future::try_join_all(deletions).await.map(drop)
    }

    /// Hides messages for so long from now on (SQS ChangeMessageVisibilityBatch); with none they come again at once.
    pub async fn hide(&self, receipts: &[String], hidden: Duration) -> Result<(), AwsError> {
        const OPERATION: &str = "ChangeMessageVisibility";
        let seconds = i32::try_from(hidden.as_secs()).unwrap_or(i32::MAX);
        for chunk in receipts.chunks(BATCH) {
            let entry = |(i, receipt): (usize, &String)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(i.to_string()).receipt_handle(receipt);
                entry.visibility_timeout(seconds).build()
            };
            let entries: Result<Vec<_>, _> = chunk.iter().enumerate().map(entry).collect();
            let entries = entries.map_err(|e| AwsError::new(AwsErrorKind::InvalidRequest, "sqs", OPERATION, &self.url, e.to_string()))?;
            // One that was deleted meanwhile, or shown again, cannot be hidden: that is no trouble.
            let call = self.sqs.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries));
            call.send().await.map_err(|e| AwsError::from_sdk("sqs", OPERATION, &self.url, &e))?;
        }
        Ok(())
    }
}

/// `https://sqs.us-west-2.amazonaws.com/…`: the Region of the queue, where the URL tells it.
fn region_of(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split('/').next()?;
    let region = host.strip_prefix("sqs.")?.split_once(".amazonaws.com")?.0;
    (!region.contains('.')).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::region_of;

    #[test]
    fn a_queue_may_be_in_another_region() {
        assert_eq!(region_of("https://sqs.eu-west-1.amazonaws.com/111122223333/changes"), Some("eu-west-1"));
        assert_eq!(region_of("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/changes"), Some("cn-north-1"));
        assert_eq!(region_of("https://vpce-1.sqs.us-west-2.vpce.amazonaws.com/1/q"), None);
        assert_eq!(region_of("http://127.0.0.1:5000/111122223333/changes"), None);
        assert_eq!(region_of("nonsense"), None);
    }
}
