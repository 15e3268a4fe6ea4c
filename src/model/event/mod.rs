//! What a message of a change queue says: an EventBridge event, mostly CloudTrail's record of one API call (domain.md 7).
//! It tells what to look at again and who was at it, never how AWS is now.

mod names;
mod touched;

use std::{collections::BTreeSet, fmt, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;

pub use names::{Name, NameKind, Names, ids_in};

/// Longest message that is read. SQS takes no longer ones.
const MAX_BODY: usize = 1024 * 1024;
/// Longest text that is taken over from a message.
const MAX_TEXT: usize = 256;

/// Who changed something, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// ARN of a user or of a role's session, or the AWS service.
    pub who: String,
    /// IP address, or the AWS service that called on behalf of somebody.
    pub from: String,
    /// The call, such as `ec2:RevokeSecurityGroupIngress`.
    pub call: String,
    /// When, by AWS's clock.
    pub at: Option<Timestamp>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} called {}", self.who, self.call)?;
        if !self.from.is_empty() {
            write!(f, " from {}", self.from)?;
        }
        self.at.map_or(Ok(()), |at| write!(f, " at {at}"))
    }
}

/// Something was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeEvent {
    /// CloudTrail's `eventID`, else EventBridge's: the same for each copy of the message.
    pub id: String,
    /// The account that it happened in, where it is told.
    pub account: Option<String>,
    /// The Region that it happened in, where it is told.
    pub region: Option<String>,
    /// The API operation, such as `RevokeSecurityGroupIngress`; of other events, their detail-type.
    pub operation: String,
    /// The objects that it names.
    pub names: Names,
    /// Who did it, where CloudTrail tells.
    pub cause: Option<Cause>,
    /// AWS's ID of the request: our own writes are known by it.
    pub request_id: Option<Arc<str>>,
}

/// A message that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Something was changed.
    Changed(Box<ChangeEvent>),
    /// Nothing was: the call failed, or only looked.
    Nothing,
}

/// A message that is no EventBridge event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Unreadable {
    #[error("{0} bytes are more than SQS delivers")]
    TooLong(usize),
    #[error("it is no JSON: {0}")]
    NoJson(String),
    #[error("it is no EventBridge event: {0} is missing")]
    NoEvent(&'static str),
}

/// Reads a message's body. Whatever stands in it, this neither panics nor takes more than its length's worth of memory.
///
/// # Errors
/// Where it is no EventBridge event.
pub fn read(body: &[u8]) -> Result<Said, Unreadable> {
    if body.len() > MAX_BODY {
        return Err(Unreadable::TooLong(body.len()));
    }
    // serde_json gives up at a depth of 128.
    let event: Value = serde_json::from_slice(body).map_err(|e| Unreadable::NoJson(e.to_string()))?;
    let text = |key: &'static str| event.get(key).and_then(Value::as_str).ok_or(Unreadable::NoEvent(key));
    let (source, detail_type) = (text("source")?, text("detail-type")?);
    let detail = event.get("detail").filter(|d| d.is_object()).ok_or(Unreadable::NoEvent("detail"))?;
    let said = match detail.get("eventName").and_then(Value::as_str) {
        Some(operation) => of_call(&event, detail, operation),
        None => Some(of_service(&event, detail, source, detail_type)),
    };
    Ok(said.map_or(Said::Nothing, |change| Said::Changed(Box::new(change))))
}

/// CloudTrail's record of a call; none where the call changed nothing.
fn of_call(event: &Value, detail: &Value, operation: &str) -> Option<ChangeEvent> {
    let failed = detail.get("errorCode").is_some_and(|code| !code.is_null());
    let looked = detail.get("readOnly").and_then(Value::as_bool).unwrap_or(false);
    if failed || looked {
        return None;
    }
    let text = |key: &str| detail.get(key).and_then(Value::as_str);
    let service = text("eventSource").unwrap_or_default().trim_end_matches(".amazonaws.com");
    let parts = [detail.get("requestParameters"), detail.get("responseElements"), event.get("resources")];
    let mut names = Names::default();
    parts.into_iter().flatten().for_each(|part| names.scan(part));
    // What DMS and RDS name besides, such as groups and subnets, they did not change.
    if service != "ec2" {
        names.ids.clear();
    }
    let identity = detail.get("userIdentity");
    let who = |key: &str| identity.and_then(|i| i.get(key)).and_then(Value::as_str);
    let who = who("arn").or_else(|| who("invokedBy")).or_else(|| who("principalId")).or_else(|| who("type")).unwrap_or("somebody");
    let at = text("eventTime").or_else(|| event.get("time").and_then(Value::as_str));
    Some(ChangeEvent {
        id: id(detail.get("eventID"), event),
        account: text("recipientAccountId").or_else(|| event.get("account").and_then(Value::as_str)).map(short),
        region: text("awsRegion").or_else(|| event.get("region").and_then(Value::as_str)).map(short),
        operation: short(operation),
        names,
        cause: Some(Cause {
            who: short(who),
            from: short(text("sourceIPAddress").unwrap_or_default()),
            call: short(&format!("{service}:{operation}")),
            at: at.and_then(|at| at.parse().ok()),
        }),
        request_id: text("requestID").map(|id| short(id).into()),
    })
}

/// What a service tells by itself, such as DMS of an instance that failed over.
fn of_service(event: &Value, detail: &Value, source: &str, detail_type: &str) -> ChangeEvent {
    let text = |key: &str| event.get(key).and_then(Value::as_str).map(short);
    let mut names = Names::default();
    [Some(detail), event.get("resources")].into_iter().flatten().for_each(|part| names.scan(part));
    if source != "aws.ec2" {
        names.ids.clear();
    }
    ChangeEvent {
        id: id(None, event),
        account: text("account"),
        region: text("region"),
        operation: short(detail_type),
        names,
        cause: None,
        request_id: None,
    }
}

fn id(first: Option<&Value>, event: &Value) -> String {
    first.and_then(Value::as_str).or_else(|| event.get("id").and_then(Value::as_str)).map(short).unwrap_or_default()
}

/// A text of somebody else's, fit for a status, an Event and a log: one line, and short.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

/// IDs of AWS objects, such as `sg-0a1b2c3d`.
pub type Ids = BTreeSet<Arc<str>>;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
