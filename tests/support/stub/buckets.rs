//! AWS's token buckets, one for each operation of an account and Region (EC2's guide on request throttling).

use std::{collections::BTreeMap, time::Duration};

use super::{Call, Fault};

/// What a bucket holds, and how much of it comes again in a second.
pub type Limit = (f64, f64);

/// AWS's own figures; none where there are none to keep (STS, SQS).
pub fn of_aws(service: &str, operation: &str) -> Option<Limit> {
    let reads = operation.starts_with("Describe") || operation.starts_with("Get");
    Some(match (service, operation) {
        ("ec2", "CreateVpcEndpoint" | "ModifyVpcEndpoint" | "DeleteVpcEndpoints") => (4.0, 0.3),
        ("ec2", "CreateTags" | "DeleteTags") => (100.0, 10.0),
        ("ec2", _) if reads => (100.0, 20.0),
        ("ec2", _) => (50.0, 5.0),
        // All operations of DMS together; the smaller of the figures that its guide names.
        ("dms", _) => (100.0, 4.0),
        ("rds", _) => (50.0, 10.0),
        _ => return None,
    })
}

/// The buckets of one account and Region.
pub struct Buckets {
    limit: fn(&str, &str) -> Option<Limit>,
    /// What is left, and when that was so.
    left: BTreeMap<String, (f64, Duration)>,
}

impl Buckets {
    /// Full ones, of this size.
    pub fn new(limit: fn(&str, &str) -> Option<Limit>) -> Self {
        Self { limit, left: BTreeMap::new() }
    }

    /// Lets a call through, or refuses it as AWS does.
    pub fn take(&mut self, call: &Call<'_>, now: Duration) -> Result<(), Fault> {
        let Some((capacity, per_second)) = (self.limit)(call.service, &call.operation) else { return Ok(()) };
        let name = if call.service == "dms" { "dms".to_owned() } else { format!("{}:{}", call.service, call.operation) };
        let (left, at) = self.left.entry(name).or_insert((capacity, now));
        *left = (*left + per_second * now.saturating_sub(*at).as_secs_f64()).min(capacity);
        *at = now;
        if *left < 1.0 {
            let (status, code) = if call.service == "dms" { (400, "ThrottlingException") } else { (503, "RequestLimitExceeded") };
            return Err(Fault(status, code, "Request limit exceeded.".into()));
        }
        *left -= 1.0;
        Ok(())
    }
}
