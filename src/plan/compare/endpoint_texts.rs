//! Changes of an endpoint in words.

use crate::{
    model::VpcEndpoint,
    plan::change::{EndpointChanges, GroupTarget, ip_text, join},
};

impl EndpointChanges {
    /// Names of the fields that change, as the spec spells them.
    pub(super) fn fields(&self) -> Vec<&'static str> {
        let mut fields = Vec::new();
        if !self.add_subnets.is_empty() || !self.remove_subnets.is_empty() {
            fields.push("subnetIds");
        }
        if !self.add_route_tables.is_empty() || !self.remove_route_tables.is_empty() {
            fields.push("routeTableIds");
        }
        if !self.add_groups.is_empty() || !self.remove_groups.is_empty() {
            fields.push("securityGroupIds");
        }
        fields.extend(self.policy.as_ref().map(|_| "policy"));
        fields.extend(self.private_dns.map(|_| "privateDns"));
        fields.extend(self.ip_address_type.map(|_| "ipAddressType"));
        fields
    }

    /// The changed fields as they are and as they will be.
    pub(in crate::plan) fn texts(&self, found: &VpcEndpoint) -> (String, String) {
        let (mut from, mut to) = (Vec::new(), Vec::new());
        if !self.add_subnets.is_empty() || !self.remove_subnets.is_empty() {
            from.push(format!("subnets {}", join(&found.subnets)));
            let kept = found.subnets.iter().filter(|s| !self.remove_subnets.contains(s));
            to.push(format!("subnets {}", join(kept.chain(&self.add_subnets))));
        }
        if !self.add_route_tables.is_empty() || !self.remove_route_tables.is_empty() {
            from.push(format!("route tables {}", join(&found.route_tables)));
            let kept = found.route_tables.iter().filter(|t| !self.remove_route_tables.contains(t));
            to.push(format!("route tables {}", join(kept.chain(&self.add_route_tables))));
        }
        if !self.add_groups.is_empty() || !self.remove_groups.is_empty() {
            from.push(format!("groups {}", join(&found.groups)));
            let kept = found.groups.iter().filter(|g| !self.remove_groups.contains(g)).map(ToString::to_string);
            let added = self.add_groups.iter().map(|g| match g {
                GroupTarget::Existing(id) => id.to_string(),
                GroupTarget::Created(key) => key.to_string(),
            });
            to.push(format!("groups {}", join(kept.chain(added))));
        }
        if let Some(policy) = &self.policy {
            from.push(format!("policy {}", found.policy.summary()));
            to.push(format!("policy {}", policy.summary()));
        }
        if let Some(private_dns) = self.private_dns {
            from.push(format!("privateDns {}", found.private_dns));
            to.push(format!("privateDns {private_dns}"));
        }
        if let Some(t) = self.ip_address_type {
            from.push(ip_text(found.ip_address_type).to_owned());
            to.push(ip_text(t).to_owned());
        }
        (from.join("; "), to.join("; "))
    }
}
