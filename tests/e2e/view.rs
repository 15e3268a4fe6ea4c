//! What AWS holds, by name: the IDs of what is made anew differ, its meaning must not.

use std::collections::{BTreeMap, BTreeSet};

use dmsnet::model::Policy;
use serde_json::Value;

use crate::harness::{Env, Topology, wait::eventually};

type Tags = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// `<group> ingress tcp 5432-5432 <peer>`, with the rule's tags.
    pub rules: BTreeMap<String, Tags>,
    pub groups: BTreeMap<String, Tags>,
    /// Those that are not going: as text, without ID and state.
    pub endpoints: BTreeMap<String, Tags>,
}

impl View {
    /// Of the test's own network.
    pub fn of(env: &Env) -> Self {
        Self::at(env, &env.topology)
    }

    /// Of another one that the test made.
    pub fn at(env: &Env, place: &Topology) -> Self {
        let state = env.aws.state_of(&place.region);
        let mut groups = members(&state["securityGroups"]);
        groups.retain(|(_, group)| group["vpc"] == place.vpc_id.as_str());
        let name_of = |id: &str| {
            groups.iter().find(|(found, _)| *found == id).map_or_else(|| id.to_owned(), |(_, g)| g["name"].as_str().unwrap().to_owned())
        };
        let mut view = Self { rules: BTreeMap::new(), groups: BTreeMap::new(), endpoints: BTreeMap::new() };
        for (id, group) in &groups {
            view.groups.insert(name_of(id), tags(&group["tags"]));
            for direction in ["ingress", "egress"] {
                for (_, rule) in members(&group[direction]) {
                    let peer = name_of(rule["peer"].as_str().unwrap_or_default());
                    let text = format!("{} {direction} {} {}-{} {peer}", name_of(id), rule["protocol"], rule["from"], rule["to"]);
                    let twice = view.rules.insert(text.clone(), tags(&rule["tags"]));
                    assert!(twice.is_none(), "{text} is there twice");
                }
            }
        }
        for (id, endpoint) in members(&state["vpcEndpoints"]) {
            if endpoint["vpc"] != place.vpc_id.as_str() || endpoint["state"].as_str().is_some_and(|s| s.starts_with("delet")) {
                continue;
            }
            let on: Vec<String> = endpoint["groups"].as_array().unwrap().iter().map(|g| name_of(g.as_str().unwrap())).collect();
            let text = format!(
                "{} in {}; groups {on:?}; privateDns {}; {}; {}",
                endpoint["service"],
                endpoint["subnets"],
                endpoint["privateDns"],
                endpoint["ipAddressType"],
                policy(&endpoint["policy"])
            );
            let twice = view.endpoints.insert(text, tags(&endpoint["tags"]));
            assert!(twice.is_none(), "a second endpoint: {id}");
        }
        view
    }

    /// Rules that carry a tag of ours.
    pub fn ours(&self) -> BTreeSet<String> {
        self.rules.iter().filter(|(_, tags)| is_ours(tags)).map(|(rule, _)| rule.clone()).collect()
    }

    /// Groups that carry a tag of ours.
    pub fn our_groups(&self) -> usize {
        self.groups.values().filter(|tags| is_ours(tags)).count()
    }

    /// In few words, where the other differs.
    pub fn difference(&self, other: &Self) -> String {
        let mut lines = Vec::new();
        for (what, a, b) in
            [("rule", &self.rules, &other.rules), ("group", &self.groups, &other.groups), ("endpoint", &self.endpoints, &other.endpoints)]
        {
            lines.extend(a.iter().filter(|(k, v)| b.get(*k) != Some(v)).map(|(k, v)| format!("- {what} {k} {v:?}")));
            lines.extend(b.iter().filter(|(k, v)| a.get(*k) != Some(v)).map(|(k, v)| format!("+ {what} {k} {v:?}")));
        }
        lines.join("\n")
    }
}

fn is_ours(tags: &Tags) -> bool {
    tags.get("dmsnet.dev/managed-by").is_some_and(|v| v == "dmsnet")
}

/// Waits until a read of AWS has shown the controller its own writes: until then it takes what differs for a late read.
pub async fn settled(env: &Env) {
    let look = async || {
        let calls = env.aws.calls(0);
        for write in calls.iter().filter(|c| c.mutating && c.code.is_empty()) {
            let text = write.params.to_string();
            let (reads, about) = match write.operation.as_str() {
                "CreateSecurityGroup" | "DeleteSecurityGroup" => ("DescribeSecurityGroups", None),
                "CreateTags" | "DeleteTags" if text.contains("sgr-") => ("DescribeSecurityGroupRules", None),
                "CreateTags" | "DeleteTags" if text.contains("vpce-") => ("DescribeVpcEndpoints", None),
                "CreateTags" | "DeleteTags" if text.contains("acl-") => ("DescribeNetworkAcls", None),
                "CreateTags" | "DeleteTags" if text.contains("rtb-") => ("DescribeRouteTables", None),
                "CreateTags" | "DeleteTags" => ("DescribeSecurityGroups", None),
                operation if operation.ends_with("NetworkAclEntry") => ("DescribeNetworkAcls", None),
                operation if operation.ends_with("Route") => ("DescribeRouteTables", None),
                operation if operation.ends_with("VpcEndpoint") || operation.ends_with("VpcEndpoints") => ("DescribeVpcEndpoints", None),
                _ => ("DescribeSecurityGroupRules", write.params["GroupId"].as_str()),
            };
            let shown = calls.iter().any(|c| {
                c.operation == reads
                    && c.code.is_empty()
                    && c.at > write.at + write.duration_ms / 1000.0
                    && about.is_none_or(|id| c.params.to_string().contains(id))
            });
            if !shown {
                return Err(format!("{} {text} was not read since", write.operation));
            }
        }
        Ok(())
    };
    eventually(std::time::Duration::from_secs(30), look).await.unwrap_or_else(|e| panic!("{e}"));
}

fn members(value: &Value) -> Vec<(&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(k, v)| (k.as_str(), v)).collect()
}

fn tags(value: &Value) -> Tags {
    members(value).into_iter().map(|(k, v)| (k.to_owned(), v.as_str().unwrap_or_default().to_owned())).collect()
}

/// A policy by its meaning: AWS spells the default otherwise than what is written.
fn policy(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Policy::from_aws(&text).as_str().to_owned()
}
