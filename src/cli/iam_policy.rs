//! The IAM policy that dmsnet needs: only the operations that the code calls, each as narrow as IAM allows (domain.md 6;
//! resource types and condition keys as in AWS's service authorization reference). Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::{
    api::names::{MANAGED_BY, TAG_MANAGED_BY},
    aws::permissions::{OPERATIONS, Purpose},
    model::endpoint::{gateway_service_name, service_name},
};

/// What the policy is to allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// To write as well as to read.
    pub enforce: bool,
    /// The Region; none: any.
    pub region: Option<String>,
    /// The account; none: any.
    pub account: Option<String>,
    /// The VPCs; empty: any.
    pub vpcs: Vec<String>,
    /// Services for which VPC endpoints are made, such as `dms`; empty: none are.
    pub services: Vec<String>,
    /// To read what `dmsnet import` reads, too.
    pub import: bool,
    /// To change endpoints that are taken over.
    pub take_over: bool,
    /// To change entries of network ACLs.
    pub network_acls: bool,
    /// To change routes.
    pub routes: bool,
    /// Keys of the class's own tags.
    pub tag_keys: Vec<String>,
    /// ARNs of the queues that classes name as `changeQueue`.
    pub change_queues: Vec<String>,
    /// ARNs of the roles of classes: what assumes them needs nothing else.
    pub roles: Vec<String>,
}

/// An IAM policy document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: Words,
    resource: Words,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<String, Words>>,
}

/// One text, or several: IAM takes a single one without a list, and limits the characters of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Words(Vec<String>);

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(s),
            several => several.serialize(s),
        }
    }
}

impl Statement {
    fn allow(sid: &'static str, action: Vec<String>, resource: Vec<String>) -> Self {
        Self { sid, effect: "Allow", action: Words(action), resource: Words(resource), condition: BTreeMap::new() }
    }

    fn when(mut self, operator: &'static str, key: impl Into<String>, values: Vec<String>) -> Self {
        if !values.is_empty() {
            self.condition.entry(operator).or_default().insert(key.into(), Words(values));
        }
        self
    }

    /// Only what carries our mark.
    fn of_ours(self) -> Self {
        self.when("StringEquals", format!("aws:ResourceTag/{TAG_MANAGED_BY}"), vec![MANAGED_BY.to_owned()])
    }

    /// Only what is given our mark.
    fn marked(self) -> Self {
        self.when("StringEquals", format!("aws:RequestTag/{TAG_MANAGED_BY}"), vec![MANAGED_BY.to_owned()])
    }
}

/// Actions of some purposes, sorted.
fn actions(purposes: &[Purpose]) -> Vec<String> {
    let all: BTreeSet<String> = OPERATIONS.iter().filter(|o| purposes.contains(&o.purpose)).map(|o| o.action()).collect();
    all.into_iter().collect()
}

impl Wish {
    /// The policy.
    pub fn document(&self) -> Document {
        let mut statement = vec![self.read()];
        if !self.change_queues.is_empty() {
            statement.push(Statement::allow("ChangeQueues", actions(&[Purpose::Queue]), self.change_queues.clone()));
        }
        if self.enforce {
            self.rules(&mut statement);
            if !self.services.is_empty() {
                self.endpoints(&mut statement);
            }
            self.borders(&mut statement);
            self.tags(&mut statement);
            let tested = ["endpoint:*", "rep:*"].iter().map(|r| self.arn("dms", r)).collect();
            statement.push(Statement::allow("ConnectionTests", actions(&[Purpose::Test]), tested));
        }
        if !self.roles.is_empty() {
            statement.push(Statement::allow("RolesOfClasses", actions(&[Purpose::Assume]), self.roles.clone()));
        }
        Document { version: "2012-10-17", statement }
    }

    fn partition(&self) -> &'static str {
        match self.region.as_deref() {
            Some(r) if r.starts_with("cn-") => "aws-cn",
            Some(r) if r.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let or_any = |s: &Option<String>| s.clone().unwrap_or_else(|| "*".to_owned());
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition(), or_any(&self.region), or_any(&self.account))
    }

    fn all(&self, kinds: &[&str]) -> Vec<String> {
        kinds.iter().map(|kind| self.arn("ec2", &format!("{kind}/*"))).collect()
    }

    /// ARNs of the VPCs, as resources.
    fn vpcs(&self) -> Vec<String> {
        if self.vpcs.is_empty() { self.all(&["vpc"]) } else { self.vpcs.iter().map(|id| self.arn("ec2", &format!("vpc/{id}"))).collect() }
    }

    /// Only in these VPCs.
    fn within(&self, statement: Statement) -> Statement {
        if self.vpcs.is_empty() {
            return statement;
        }
        let any = self.region.is_none() || self.account.is_none();
        statement.when(if any { "ArnLike" } else { "ArnEquals" }, "ec2:Vpc", self.vpcs())
    }

    /// Describe calls take no resources, at most a Region.
    fn read(&self) -> Statement {
        let region = self.region.iter().cloned().collect();
        let purposes = if self.import { &[Purpose::Read, Purpose::Import][..] } else { &[Purpose::Read] };
        Statement::allow("Read", actions(purposes), vec!["*".to_owned()]).when("StringEquals", "aws:RequestedRegion", region)
    }

    fn rules(&self, out: &mut Vec<Statement>) {
        let groups = || self.all(&["security-group"]);
        let all = actions(&[Purpose::AuthorizeRules, Purpose::ModifyRules, Purpose::RevokeRules]);
        out.push(self.within(Statement::allow("RulesOfGroups", all, groups())));
        let rules = || self.all(&["security-group-rule"]);
        out.push(Statement::allow("NewRulesAreMarked", actions(&[Purpose::AuthorizeRules]), rules()).marked());
        out.push(Statement::allow("ModifyOwnRules", actions(&[Purpose::ModifyRules]), rules()).of_ours());
    }

    fn endpoints(&self, out: &mut Vec<Statement>) {
        let groups = || self.all(&["security-group"]);
        out.push(Statement::allow("NewGroupsAreMarked", actions(&[Purpose::CreateGroup]), groups()).marked());
        out.push(Statement::allow("GroupsInVpcs", actions(&[Purpose::CreateGroup]), self.vpcs()));
        out.push(self.within(Statement::allow("DeleteOwnGroups", actions(&[Purpose::DeleteGroup]), groups()).of_ours()));
        let region = self.region.as_deref().unwrap_or("*");
        let names = || {
            let gateways = self.services.iter().filter(|s| matches!(s.as_str(), "s3" | "dynamodb"));
            let gateways = gateways.map(|s| gateway_service_name(region, s));
            let all: BTreeSet<String> = self.services.iter().map(|s| service_name(region, s)).chain(gateways).collect();
            all.into_iter().collect()
        };
        let equals = if self.region.is_some() { "StringEquals" } else { "StringLike" };
        let endpoints = || self.all(&["vpc-endpoint"]);
        let create = Statement::allow("NewEndpointsAreMarked", actions(&[Purpose::CreateEndpoint]), endpoints()).marked();
        out.push(create.when(equals, "ec2:VpceServiceName", names()));
        let around = [self.vpcs(), self.all(&["subnet", "security-group", "route-table"])].concat();
        let both = actions(&[Purpose::CreateEndpoint, Purpose::ModifyEndpoint]);
        out.push(Statement::allow("WhatEndpointsUse", both, around));
        let private_dns = vec!["route53:AssociateVPCWithHostedZone".to_owned()];
        out.push(Statement::allow("PrivateDns", private_dns, vec!["*".to_owned()]));
        // ModifyVpcEndpoint knows no condition on the service: the mark alone narrows it.
        let modify = Statement::allow("ModifyOwnEndpoints", actions(&[Purpose::ModifyEndpoint]), endpoints());
        out.push(if self.take_over { Statement { sid: "ModifyEndpoints", ..modify } } else { modify.of_ours() });
        let delete = Statement::allow("DeleteOwnEndpoints", actions(&[Purpose::DeleteEndpoint]), endpoints()).of_ours();
        out.push(delete.when(equals, "ec2:VpceServiceName", names()));
    }

    /// Entries and routes have no tags, so IAM cannot tell ours from others': only those that ask for it get this.
    fn borders(&self, out: &mut Vec<Statement>) {
        let asked = [(self.network_acls, Purpose::AclEntries, "network-acl"), (self.routes, Purpose::Routes, "route-table")];
        let (purposes, kinds): (Vec<_>, Vec<_>) = asked.iter().filter(|(asked, ..)| *asked).map(|(_, p, kind)| (*p, *kind)).unzip();
        if !purposes.is_empty() {
            // Each action knows only its own kind of resource: together they allow no more than apart.
            out.push(self.within(Statement::allow("AclEntriesAndRoutes", actions(&purposes), self.all(&kinds))));
        }
    }

    fn tags(&self, out: &mut Vec<Statement>) {
        let mut kinds = vec!["security-group", "security-group-rule"];
        let mut creators = vec![Purpose::AuthorizeRules];
        if !self.services.is_empty() {
            kinds.push("vpc-endpoint");
            creators.extend([Purpose::CreateGroup, Purpose::CreateEndpoint]);
        }
        let kinds_made = kinds.clone();
        // The records of our entries and routes.
        kinds.extend(self.network_acls.then_some("network-acl"));
        kinds.extend(self.routes.then_some("route-table"));
        let made = actions(&creators).iter().filter_map(|a| a.split_once(':')).map(|(_, name)| name.to_owned()).collect();
        out.push(Statement::allow("TagWhatIsMade", actions(&[Purpose::Tag]), self.all(&kinds_made)).when(
            "StringEquals",
            "ec2:CreateAction",
            made,
        ));
        let keys = || ["dmsnet.dev/*".to_owned()].into_iter().chain(self.tag_keys.clone()).collect();
        // ForAllValues holds for no values, too.
        let only = |s: Statement, keys| {
            s.when("ForAllValues:StringLike", "aws:TagKeys", keys).when("Null", "aws:TagKeys", vec!["false".to_owned()])
        };
        out.push(only(Statement::allow("TagAgain", actions(&[Purpose::Tag]), self.all(&kinds)), keys()));
        let ours = vec!["dmsnet.dev/*".to_owned()];
        out.push(only(Statement::allow("TakeOwnTagsOff", actions(&[Purpose::Untag]), self.all(&kinds)), ours));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn full() -> Wish {
        Wish {
            enforce: true,
            region: Some("us-west-2".into()),
            account: Some("111122223333".into()),
            vpcs: vec!["vpc-0a1b2c3d".into()],
            services: vec!["dms".into(), "s3".into()],
            import: true,
            take_over: false,
            network_acls: true,
            routes: true,
            tag_keys: vec!["cost-center".into()],
            change_queues: vec!["arn:aws:sqs:us-west-2:111122223333:dmsnet-changes".into()],
            roles: vec![],
        }
    }

    fn json(wish: &Wish) -> Value {
        serde_json::to_value(wish.document()).unwrap()
    }

    fn named(document: &Document) -> BTreeSet<String> {
        document.statement.iter().flat_map(|s| s.action.0.clone()).collect()
    }

    #[test]
    fn it_allows_what_the_code_calls_and_nothing_else() {
        let mut called: BTreeSet<String> = OPERATIONS.iter().filter(|o| o.purpose != Purpose::Free).map(|o| o.action()).collect();
        // EC2 calls it for us, for private DNS.
        called.insert("route53:AssociateVPCWithHostedZone".to_owned());
        let roles = vec!["arn:aws:iam::444455556666:role/dmsnet".to_owned()];
        assert_eq!(named(&Wish { roles, ..full() }.document()), called);
        called.remove("sts:AssumeRole");
        assert_eq!(named(&full().document()), called, "no class has a role");
        let observe = Wish { enforce: false, import: false, ..full() }.document();
        assert_eq!(named(&observe), actions(&[Purpose::Read, Purpose::Queue]).into_iter().collect());
        let without = named(&Wish { services: vec![], ..full() }.document());
        assert!(without.iter().all(|a| !a.contains("VpcEndpoint") || a.contains("Describe")), "{without:?}");
        let checked = named(&Wish { network_acls: false, routes: false, ..full() }.document());
        let written = |a: &String| (a.contains("Route") || a.contains("NetworkAcl")) && !a.contains("Describe");
        assert!(!checked.iter().any(written), "{checked:?}");
    }

    #[test]
    fn the_policy_is_as_documented() {
        insta::assert_snapshot!("iam_policy_enforce", serde_json::to_string_pretty(&full().document()).unwrap());
        insta::assert_snapshot!(
            "iam_policy_anywhere",
            serde_json::to_string_pretty(&Wish { enforce: true, ..Wish::default() }.document()).unwrap()
        );
    }

    /// IAM takes managed policies of at most 6,144 characters, white space not counted.
    #[test]
    fn the_widest_fits_into_a_managed_policy() {
        let services = ["dms", "s3", "dynamodb", "secretsmanager", "kinesis-streams", "redshift"].map(str::to_owned).to_vec();
        let text = serde_json::to_string(&Wish { services, ..full() }.document()).unwrap();
        assert!(text.len() <= 6144, "{}", text.len());
    }

    #[test]
    fn partitions_follow_the_region() {
        for (region, arn, service) in [
            ("cn-north-1", "arn:aws-cn:ec2:cn-north-1:", "cn.com.amazonaws.cn-north-1.dms"),
            ("us-gov-east-1", "arn:aws-us-gov:ec2:us-gov-east-1:", "com.amazonaws.us-gov-east-1.dms"),
        ] {
            let text = json(&Wish { region: Some(region.into()), change_queues: vec![], ..full() }).to_string();
            assert!(text.contains(arn) && text.contains(service) && !text.contains("arn:aws:"), "{text}");
        }
    }
}
