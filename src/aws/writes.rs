//! Writes to AWS. Each puts its effect into the picture at once (see `expect`). A write whose answer was lost fails as
//! [`AwsErrorKind::Transient`]: it may have happened, so read again (`Store::ensure` with the present instant) before
//! writing again. Only writes that may be repeated without harm are repeated by the SDK.

use std::{collections::BTreeSet, future::Future, time::Duration};

use aws_sdk_ec2::{
    config::{Builder, Config, retry::RetryConfig, timeout::TimeoutConfig},
    types as ec2,
};
use tokio::time::{Instant, sleep};

use super::{
    calls::{self, Which, about},
    convert,
    errors::{AwsError, AwsErrorKind},
    expect::Field,
    store::Store,
};
use crate::model::{
    Direction, NetworkInterfaceId, Peer, Ports, Protocol, Rule, RuleShape, SecurityGroup, SecurityGroupId, SecurityGroupRuleId, Tags, VpcId,
};

/// Tries of a write that AWS refuses because it was asked too often: then nothing was done, so a repetition is safe.
const TRIES: u32 = 3;
/// Longest wait for a write's turn in the budget: locks are held meanwhile.
const TURN: Duration = Duration::from_secs(4);

/// A rule to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRule {
    /// What it lets through.
    pub shape: RuleShape,
    /// For people; what AWS does not take in it is replaced.
    pub description: String,
}

/// A rule of ours to be put right in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleEdit {
    /// The rule.
    pub id: SecurityGroupRuleId,
    /// What it is to let through; its direction cannot change.
    pub shape: RuleShape,
    /// Its description: AWS drops what is not written again.
    pub description: Option<String>,
}

/// A network interface (EC2 `NetworkInterface`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// `eni-…`
    pub id: NetworkInterfaceId,
    /// What its maker wrote about it.
    pub description: String,
    /// `available`, `in-use`, …
    pub status: String,
    /// Whether a VPC endpoint made it, and takes it along.
    pub of_endpoint: bool,
}

/// A write ends well before a Lease can pass to another replica, its repetitions included.
const LONGEST: Duration = Duration::from_secs(10);

/// Settings of a write that may be repeated without harm.
pub(super) fn repeatable() -> Builder {
    let timeouts = TimeoutConfig::builder().operation_timeout(LONGEST).build();
    Config::builder().timeout_config(timeouts)
}

/// Settings of a write that a repetition could do twice.
pub(super) fn once() -> Builder {
    repeatable().retry_config(RetryConfig::disabled())
}

/// Repeats what AWS certainly did not do.
pub(super) async fn patiently<T, F: Future<Output = Result<T, AwsError>>>(write: impl Fn() -> F) -> Result<T, AwsError> {
    let mut wait = Duration::from_millis(700);
    for _ in 1..TRIES {
        match write().await {
            Err(e) if e.kind == AwsErrorKind::Throttled => sleep(wait).await,
            other => return other,
        }
        wait *= 3;
    }
    write().await
}

pub(super) fn tag_spec(kind: ec2::ResourceType, tags: &Tags) -> Option<Vec<ec2::TagSpecification>> {
    let spec = ec2::TagSpecification::builder().resource_type(kind).set_tags(Some(convert::tags_to_ec2(tags))).build();
    (!tags.is_empty()).then(|| vec![spec])
}

/// At most 255 characters, of those that AWS takes in a description.
fn described(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    let text: String = text.chars().map(|c| if allowed(c) { c } else { '_' }).take(255).collect();
    Some(text).filter(|t| !t.trim().is_empty())
}

/// `FromPort` and `ToPort` as EC2 takes them.
fn ports(shape: &RuleShape) -> (Option<i32>, Option<i32>) {
    let ports = match shape.protocol {
        Protocol::Tcp | Protocol::Udp => Some(shape.ports.unwrap_or(Ports::ALL)),
        Protocol::Icmp | Protocol::Icmpv6 => Some(shape.ports.unwrap_or(Ports { from: -1, to: -1 })),
        Protocol::All | Protocol::Other(_) => None,
    };
    (ports.map(|p| p.from), ports.map(|p| p.to))
}

fn permission(rule: &NewRule) -> ec2::IpPermission {
    let (from, to) = ports(&rule.shape);
    let text = described(&rule.description);
    let p = ec2::IpPermission::builder().ip_protocol(rule.shape.protocol.to_ec2()).set_from_port(from).set_to_port(to);
    match &rule.shape.peer {
        Peer::Cidr(c @ ipnet::IpNet::V4(_)) => {
            p.ip_ranges(ec2::IpRange::builder().cidr_ip(c.to_string()).set_description(text).build()).build()
        }
        Peer::Cidr(c) => p.ipv6_ranges(ec2::Ipv6Range::builder().cidr_ipv6(c.to_string()).set_description(text).build()).build(),
        Peer::SecurityGroup(g) => {
            p.user_id_group_pairs(ec2::UserIdGroupPair::builder().group_id(g.as_str()).set_description(text).build()).build()
        }
        Peer::PrefixList(l) => {
            p.prefix_list_ids(ec2::PrefixListId::builder().prefix_list_id(l.as_str()).set_description(text).build()).build()
        }
    }
}

fn request(edit: &RuleEdit) -> ec2::SecurityGroupRuleRequest {
    let (from, to) = ports(&edit.shape);
    let r = ec2::SecurityGroupRuleRequest::builder()
        .ip_protocol(edit.shape.protocol.to_ec2())
        .set_from_port(from)
        .set_to_port(to)
        .set_description(edit.description.as_deref().and_then(described));
    match &edit.shape.peer {
        Peer::Cidr(c @ ipnet::IpNet::V4(_)) => r.cidr_ipv4(c.to_string()),
        Peer::Cidr(c) => r.cidr_ipv6(c.to_string()),
        Peer::SecurityGroup(g) => r.referenced_group_id(g.as_str()),
        Peer::PrefixList(l) => r.prefix_list_id(l.as_str()),
    }
    .build()
}

impl Store {
    /// Makes rules of one direction, all in one call (EC2 AuthorizeSecurityGroupIngress or …Egress): all or none.
    /// [`AwsErrorKind::Duplicate`]: one of them is there already; read again.
    pub async fn authorize(
        &self,
        group: &SecurityGroupId,
        direction: Direction,
        rules: &[NewRule],
        tags: &Tags,
    ) -> Result<Vec<Rule>, AwsError> {
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let permissions: Vec<_> = rules.iter().map(permission).collect();
        let operation = match direction {
            Direction::In => "AuthorizeSecurityGroupIngress",
            Direction::Out => "AuthorizeSecurityGroupEgress",
        };
        self.write_turn(operation, group.as_str()).await?;
        let specs = || tag_spec(ec2::ResourceType::SecurityGroupRule, tags);
        let ec2 = &self.clients.ec2;
        let rows = patiently(|| async {
            match direction {
                Direction::In => {
                    let call = ec2.authorize_security_group_ingress().group_id(group.as_str()).set_tag_specifications(specs());
                    let answer = call.set_ip_permissions(Some(permissions.clone())).customize().config_override(once()).send().await;
                    let answer = answer.map_err(|e| AwsError::from_sdk("ec2", "AuthorizeSecurityGroupIngress", group.as_str(), &e))?;
                    Ok(answer.security_group_rules)
                }
                Direction::Out => {
                    let call = ec2.authorize_security_group_egress().group_id(group.as_str()).set_tag_specifications(specs());
                    let answer = call.set_ip_permissions(Some(permissions.clone())).customize().config_override(once()).send().await;
                    let answer = answer.map_err(|e| AwsError::from_sdk("ec2", "AuthorizeSecurityGroupEgress", group.as_str(), &e))?;
                    Ok(answer.security_group_rules)
                }
            }
        })
        .await?;
        let mut made: Vec<Rule> = rows.into_iter().flatten().filter_map(convert::rule).collect();
        if made.len() < rules.len() {
            // The answer does not name them all.
            let all = calls::rules(&self.clients, Which::By("group-id", &[group.to_string()])).await?;
            made = all.into_iter().filter(|r| rules.iter().any(|n| n.shape == r.shape)).collect();
        }
        for rule in &mut made {
            rule.tags.extend(tags.iter().map(|(k, v)| (k.clone(), v.clone())));
            rule.description = rule.description.take().or_else(|| {
                let wanted = rules.iter().find(|n| n.shape == rule.shape);
                wanted.and_then(|n| described(&n.description))
            });
        }
        self.rules_made(group, &made);
        Ok(made)
    }

    /// Puts rules of ours right in place (EC2 ModifySecurityGroupRules), all in one call.
    pub async fn modify_rules(&self, group: &SecurityGroupId, edits: &[RuleEdit]) -> Result<(), AwsError> {
        if edits.is_empty() {
            return Ok(());
        }
        let update = |e: &RuleEdit| {
            ec2::SecurityGroupRuleUpdate::builder().security_group_rule_id(e.id.as_str()).security_group_rule(request(e)).build()
        };
        let updates = Some(edits.iter().map(update).collect());
        self.write_turn("ModifySecurityGroupRules", group.as_str()).await?;
        let answer = self
            .clients
            .ec2
            .modify_security_group_rules()
            .group_id(group.as_str())
            .set_security_group_rules(updates)
            .customize()
            .config_override(repeatable())
            .send()
            .await;
        answer.map_err(|e| AwsError::from_sdk("ec2", "ModifySecurityGroupRules", group.as_str(), &e))?;
        let change = |r: &mut Rule| {
            if let Some(edit) = edits.iter().find(|e| e.id == r.id) {
                r.shape = edit.shape.clone();
                r.description = edit.description.as_deref().and_then(described);
            }
        };
        self.rules_changed(group, change, Field::Shape);
        Ok(())
    }

    /// Removes rules by ID (EC2 RevokeSecurityGroupIngress or …Egress). One that is not there is done.
    pub async fn revoke(&self, group: &SecurityGroupId, direction: Direction, ids: &[SecurityGroupRuleId]) -> Result<(), AwsError> {
        if ids.is_empty() {
            return Ok(());
        }
        match self.revoke_once(group, direction, ids).await {
            Err(e) if e.kind == AwsErrorKind::NotFound && ids.len() > 1 => {
                // One unknown ID fails the call for all.
                for id in ids {
                    match self.revoke_once(group, direction, std::slice::from_ref(id)).await {
                        Err(e) if e.kind != AwsErrorKind::NotFound => return Err(e),
                        _ => self.rules_gone(group, std::slice::from_ref(id)),
                    }
                }
                Ok(())
            }
            Err(e) if e.kind != AwsErrorKind::NotFound => Err(e),
            _ => {
                self.rules_gone(group, ids);
                Ok(())
            }
        }
    }

    async fn revoke_once(&self, group: &SecurityGroupId, direction: Direction, ids: &[SecurityGroupRuleId]) -> Result<(), AwsError> {
        let operation = match direction {
            Direction::In => "RevokeSecurityGroupIngress",
            Direction::Out => "RevokeSecurityGroupEgress",
        };
        self.write_turn(operation, group.as_str()).await?;
        let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let resource = format!("{} of {group}", about(&texts));
        let ec2 = &self.clients.ec2;
        match direction {
            Direction::In => {
                let call = ec2.revoke_security_group_ingress().group_id(group.as_str()).set_security_group_rule_ids(Some(texts));
                call.customize()
                    .config_override(repeatable())
                    .send()
                    .await
                    .map_err(|e| AwsError::from_sdk("ec2", "RevokeSecurityGroupIngress", resource, &e))?;
            }
            Direction::Out => {
                let call = ec2.revoke_security_group_egress().group_id(group.as_str()).set_security_group_rule_ids(Some(texts));
                call.customize()
                    .config_override(repeatable())
                    .send()
                    .await
                    .map_err(|e| AwsError::from_sdk("ec2", "RevokeSecurityGroupEgress", resource, &e))?;
            }
        }
        Ok(())
    }

    /// Makes a group (EC2 CreateSecurityGroup). AWS puts a rule into it that lets everything out; it stays, and is
    /// read back with its ID. [`AwsErrorKind::Duplicate`]: a group of that name is there already; read again.
    pub async fn create_group(&self, vpc: &VpcId, name: &str, description: &str, tags: &Tags) -> Result<SecurityGroup, AwsError> {
        const OPERATION: &str = "CreateSecurityGroup";
        let resource = format!("{name} in {vpc}");
        self.write_turn(OPERATION, &resource).await?;
        let answer = patiently(|| async {
            let call = self.clients.ec2.create_security_group().vpc_id(vpc.as_str()).group_name(name);
            let call = call.description(described(description).unwrap_or_else(|| name.to_owned()));
            let call = call.set_tag_specifications(tag_spec(ec2::ResourceType::SecurityGroup, tags));
            let answer = call.customize().config_override(once()).send().await;
            answer.map_err(|e| AwsError::from_sdk("ec2", OPERATION, resource.as_str(), &e))
        })
        .await?;
        let Some(id) = answer.group_id else {
            return Err(AwsError::new(AwsErrorKind::Transient, "ec2", OPERATION, resource, "the answer names no group"));
        };
        // The owner of other groups of the VPC; a shared VPC's groups belong to whoever makes them, as do ours.
        let owner = self.account().await.unwrap_or_default();
        let group = SecurityGroup { id: id.into(), name: name.to_owned(), vpc: vpc.clone(), owner, tags: tags.clone() };
        self.group_made(&group);
        let needs = BTreeSet::from([crate::model::Need::RulesOf(group.id.clone())]);
        self.ensure(&needs, Some(Instant::now())).await;
        Ok(group)
    }

    /// Deletes a group (EC2 DeleteSecurityGroup). One that is not there is done; [`AwsErrorKind::DependencyViolation`]:
    /// something still uses it.
    pub async fn delete_group(&self, id: &SecurityGroupId) -> Result<(), AwsError> {
        self.write_turn("DeleteSecurityGroup", id.as_str()).await?;
        let answer = self.clients.ec2.delete_security_group().group_id(id.as_str()).customize().config_override(repeatable()).send().await;
        match answer.map_err(|e| AwsError::from_sdk("ec2", "DeleteSecurityGroup", id.as_str(), &e)) {
            Err(e) if e.kind != AwsErrorKind::NotFound => Err(e),
            _ => {
                self.group_gone(id);
                Ok(())
            }
        }
    }

    /// Sets tags on objects of EC2 (CreateTags).
    pub async fn tag(&self, ids: &[String], tags: &Tags) -> Result<(), AwsError> {
        if ids.is_empty() || tags.is_empty() {
            return Ok(());
        }
        self.write_turn("CreateTags", &about(ids)).await?;
        let call = self.clients.ec2.create_tags().set_resources(Some(ids.to_vec())).set_tags(Some(convert::tags_to_ec2(tags)));
        call.customize().config_override(repeatable()).send().await.map_err(|e| AwsError::from_sdk("ec2", "CreateTags", about(ids), &e))?;
        self.tags_changed(ids, tags, &[]);
        Ok(())
    }

    /// Takes tags off objects of EC2 (DeleteTags), whatever their values.
    pub async fn untag(&self, ids: &[String], keys: &[String]) -> Result<(), AwsError> {
        if ids.is_empty() || keys.is_empty() {
            return Ok(());
        }
        let tags = keys.iter().map(|k| ec2::Tag::builder().key(k).build()).collect();
        self.write_turn("DeleteTags", &about(ids)).await?;
        let call = self.clients.ec2.delete_tags().set_resources(Some(ids.to_vec())).set_tags(Some(tags));
        call.customize().config_override(repeatable()).send().await.map_err(|e| AwsError::from_sdk("ec2", "DeleteTags", about(ids), &e))?;
        self.tags_changed(ids, &Tags::new(), keys);
        Ok(())
    }

    /// Network interfaces that carry a group (EC2 DescribeNetworkInterfaces). Asked each time.
    pub async fn interfaces_of(&self, group: &SecurityGroupId) -> Result<Vec<Interface>, AwsError> {
        calls::interfaces(&self.clients, Which::By("group-id", &[group.to_string()])).await
    }

    /// Waits for a write's turn in the budget. Whoever would wait long is refused, and comes again.
    pub(super) async fn write_turn(&self, operation: &'static str, resource: &str) -> Result<(), AwsError> {
        self.clients.budgets().turn_within("ec2", operation, resource, TURN).await.map_err(|wait| spent(operation, resource, wait))
    }
}

/// The refusal of a call that had no turn in time.
fn spent(operation: &'static str, resource: &str, wait: Duration) -> AwsError {
    // Without the time: what is told in status must not differ from pass to pass.
    let text = "AWS grants the account only so many of these calls, and others are ahead";
    AwsError::new(AwsErrorKind::NoTurn(wait), "ec2", operation, resource, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_what_aws_takes() {
        assert_eq!(described("orders: payments → db <1>").as_deref(), Some("orders: payments _ db _1_"));
        assert_eq!(described(&"x".repeat(300)).map(|t| t.len()), Some(255));
        assert_eq!(described(" "), None);
    }

    #[test]
    fn shapes_survive_the_way_to_ec2() {
        let rule =
            |protocol, ports| RuleShape { direction: Direction::In, protocol, ports, peer: Peer::Cidr("10.0.0.0/8".parse().unwrap()) };
        assert_eq!(ports(&rule(Protocol::Tcp, Some(Ports::one(443)))), (Some(443), Some(443)));
        assert_eq!(ports(&rule(Protocol::Tcp, None)), (Some(0), Some(65_535)));
        assert_eq!(ports(&rule(Protocol::Icmp, None)), (Some(-1), Some(-1)));
        assert_eq!(ports(&rule(Protocol::All, None)), (None, None));
        let v6 = RuleShape::tcp(Direction::In, 443, Peer::Cidr("2001:db8::/32".parse().unwrap()));
        let p = permission(&NewRule { shape: v6, description: String::new() });
        assert_eq!(p.ipv6_ranges()[0].cidr_ipv6(), Some("2001:db8::/32"));
        assert!(p.ip_ranges().is_empty());
    }
}
