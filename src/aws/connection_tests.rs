//! DMS's own connection test.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{errors::AwsError, store::Store};
use crate::{model::Need, plan::connected::Test};

impl Store {
    /// Starts DMS's tests (DMS TestConnection), and reads on until they show. What was refused, by database.
    pub async fn test_connections(&self, tests: &[Test]) -> Vec<(String, AwsError)> {
        let mut refused = Vec::new();
        for test in tests {
            let call = self.clients().dms.test_connection().replication_instance_arn(&test.instance).endpoint_arn(&test.endpoint);
            if let Err(e) = call.send().await {
                refused.push((test.database.clone(), AwsError::from_sdk("dms", "TestConnection", test.endpoint.as_str(), &e)));
            }
        }
        let needs: BTreeSet<Need> = tests.iter().map(|t| Need::ConnectionsOf(t.instance.as_str().into())).collect();
        self.ensure(&needs, Some(Instant::now())).await;
        refused
    }
}
