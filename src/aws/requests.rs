//! AWS's IDs of our own writes: CloudTrail tells of them as well, and there is nothing to look at again.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex},
};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::lock;

/// So many are remembered: minutes of writing at AWS's limits, and events mostly come within two.
const KEPT: usize = 8192;

/// The latest writes.
#[derive(Debug, Default)]
pub(super) struct OwnWrites(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    order: VecDeque<Arc<str>>,
    known: HashSet<Arc<str>>,
}

impl OwnWrites {
    /// Remembers a request, if it was a write and AWS named it.
    pub(super) fn note(&self, operation: &str, response: Option<&HttpResponse>) {
        if ["Describe", "Get", "Receive", "DeleteMessage"].iter().any(|p| operation.starts_with(p)) {
            return;
        }
        if let Some(id) = response.and_then(id_of) {
            self.remember(id);
        }
    }

    fn remember(&self, id: Arc<str>) {
        let mut kept = lock(&self.0);
        if kept.known.insert(id.clone()) {
            kept.order.push_back(id);
        }
        while kept.order.len() > KEPT {
            if let Some(old) = kept.order.pop_front() {
                kept.known.remove(&old);
            }
        }
    }

    /// Whether this was one of ours.
    pub(super) fn made(&self, id: &str) -> bool {
        lock(&self.0).known.contains(id)
    }
}

/// From the header, else, in EC2's older answers, from the body.
fn id_of(response: &HttpResponse) -> Option<Arc<str>> {
    let header = response.headers().get("x-amzn-requestid").or_else(|| response.headers().get("x-amz-request-id"));
    header.or_else(|| in_body(response.body().bytes()?)).filter(|id| !id.is_empty() && id.len() <= 64).map(Into::into)
}

fn in_body(body: &[u8]) -> Option<&str> {
    // At the very beginning, or at the end: the list between them may be long.
    let text = std::str::from_utf8(body).ok()?;
    let after = text.split_once("<requestId>").or_else(|| text.split_once("<RequestId>"))?.1;
    after.split_once('<').map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered() {
        let own = OwnWrites::default();
        for i in 0..KEPT + 2 {
            own.remember(format!("r{i}").into());
            own.remember(format!("r{i}").into());
        }
        assert!(!own.made("r1") && own.made("r2") && own.made(&format!("r{}", KEPT + 1)));
        assert_eq!(in_body(b"<A><requestId>59dbff89</requestId><return>true</return></A>"), Some("59dbff89"));
        assert_eq!(in_body(b"<A/>"), None);
    }
}
