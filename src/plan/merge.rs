//! One network in several classes: each is planned for itself, and told as one.

use super::Plan;

impl Plan {
    /// Adds the plan of another class of the same network. Claims, needs and locks belong to an account and Region: they stay apart.
    pub fn join(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.drift.extend(other.drift);
        self.ledger.extend(other.ledger);
        self.ledger.sort_by(|a, b| (&a.key, &a.class).cmp(&(&b.key, &b.class)));
        self.problems.extend(other.problems);
        self.problems.sort();
        self.problems.dedup();
        self.unmet |= other.unmet;
        self.unread |= other.unread;
        self.waiting.extend(other.waiting);
        self.withheld.extend(other.withheld);
        self.foreign.extend(other.foreign);
        self.vpc_endpoints.extend(other.vpc_endpoints);
        self.rules.0 += other.rules.0;
        self.rules.1 += other.rules.1;
        if self.replication.is_none() {
            self.replication = other.replication;
        }
        if self.databases.is_empty() {
            self.databases = other.databases;
            self.paths = other.paths;
        }
    }
}
