//! AWS's token buckets, one for each operation of an account and Region (EC2's guide on request throttling).

use std::{collections::BTreeMap, time::Duration};

use super::{Call, Fault};

/// Which bucket a call takes from, what that holds, and how much of it comes again in a second; none where it is not limited.
pub type Limits = fn(&Call<'_>) -> Option<(String, f64, f64)>;

/// AWS's own figures; none where there are none to keep (STS, SQS).
pub fn of_aws(call: &Call<'_>) -> Option<(String, f64, f64)> {
    let reads = call.operation.starts_with("Describe") || call.operation.starts_with("Get");
    let (capacity, per_second) = match (call.service, &*call.operation) {
        ("ec2", "CreateVpcEndpoint" | "ModifyVpcEndpoint" | "DeleteVpcEndpoints") => (4.0, 0.3),
        ("ec2", "CreateTags" | "DeleteTags") => (100.0, 10.0),
        ("ec2", _) if reads => (100.0, 20.0),
        ("ec2", _) => (50.0, 5.0),
        // All operations of DMS together; the smaller of the figures that its guide names.
        ("dms", _) => return Some(("dms".into(), 100.0, 4.0)),
        ("rds", _) => (50.0, 10.0),
        _ => return None,
    };
    Some((format!("{}:{}", call.service, call.operation), capacity, per_second))
}

/// The buckets of one account and Region.
pub struct Buckets {
    limits: Limits,
    /// What is left, and when that was so.
    left: BTreeMap<String, (f64, Duration)>,
}

impl Buckets {
    /// Full ones, of this size.
    pub fn new(limits: Limits) -> Self {
        Self { limits, left: BTreeMap::new() }
    }

    /// Lets a call through, or refuses it as AWS does.
    pub fn take(&mut self, call: &Call<'_>, now: Duration) -> Result<(), Fault> {
        let Some((name, capacity, per_second)) = (self.limits)(call) else { return Ok(()) };
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
