//! EC2's writes, and what AWS refuses of them.

use dmsnet::model::Tags;

use super::{
    Fault, Form, Outcome,
    ec2::{endpoint, envelope, rule},
    unknown,
    world::{Endpoint, Group, Peer, Rule, World, policy_of_all},
    xml::Xml,
};

/// AWS's default quota, for a group and direction; all addresses here are IPv4.
pub const RULES_PER_GROUP: usize = 60;

pub fn respond(world: &mut World, name: &str, form: &Form) -> Outcome {
    let of = |field: &str| form.get(field).unwrap_or_default();
    let mut x = Xml::default();
    match name {
        "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress" => {
            let made = authorize(world, of("GroupId"), name.ends_with("Egress"), form)?;
            x.text("return", true);
            x.items("securityGroupRuleSet", &made, rule);
        }
        "RevokeSecurityGroupIngress" | "RevokeSecurityGroupEgress" => {
            let ids = form.list("SecurityGroupRuleId");
            let rules = world.rules.get_mut(of("GroupId")).ok_or_else(|| no_group(of("GroupId")))?;
            if let Some(missing) = ids.iter().find(|id| !rules.iter().any(|r| r.id == **id)) {
                return Err(no_rule(missing));
            }
            rules.retain(|r| !ids.contains(&r.id.as_str()));
            x.text("return", true);
        }
        "ModifySecurityGroupRules" => {
            modify(world, of("GroupId"), form)?;
            x.text("return", true);
        }
        "CreateSecurityGroup" => {
            if world.groups.values().any(|g| g.name == of("GroupName") && g.vpc == of("VpcId")) {
                return Err(Fault(400, "InvalidGroup.Duplicate", format!("the group {} is in {} already", of("GroupName"), of("VpcId"))));
            }
            let id = world.new_id("sg");
            world.add_group(Group { id: id.clone(), name: of("GroupName").into(), vpc: of("VpcId").into(), tags: form.tags() });
            x.text("return", true);
            x.text("groupId", id);
        }
        "DeleteSecurityGroup" => {
            let id = of("GroupId");
            if !world.groups.contains_key(id) {
                return Err(no_group(id));
            }
            let referenced = world.rules.iter().any(|(g, rules)| g != id && rules.iter().any(|r| r.peer == Peer::Group(id.into())));
            if referenced || world.endpoints.values().any(|e| e.groups.iter().any(|g| g == id)) {
                return Err(Fault(400, "DependencyViolation", format!("resource {id} has a dependent object")));
            }
            world.groups.remove(id);
            world.rules.remove(id);
            x.text("return", true);
        }
        "CreateVpcEndpoint" => {
            let made = create_endpoint(world, form)?;
            x.node("vpcEndpoint", |x| endpoint(x, &made, world));
        }
        "ModifyVpcEndpoint" => {
            modify_endpoint(world, form)?;
            x.text("return", true);
        }
        "DeleteVpcEndpoints" => {
            let gone_at = world.now + world.endpoint_takes.1;
            let mut missing = Vec::new();
            for id in form.list("VpcEndpointId") {
                match world.endpoints.get_mut(id) {
                    Some(e) if e.gone_at.is_none() => e.gone_at = Some(gone_at),
                    Some(_) => {}
                    None => missing.push(id.to_owned()),
                }
            }
            let now = world.now;
            world.at(now);
            x.items("unsuccessful", missing, |x, id| {
                x.text("resourceId", &id);
                x.node("error", |x| {
                    x.text("code", "InvalidVpcEndpointId.NotFound");
                    x.text("message", format!("the VPC endpoint {id} does not exist"));
                });
            });
        }
        "CreateTags" | "DeleteTags" => {
            let ids = form.list("ResourceId");
            if let Some(id) = ids.iter().find(|id| tags_of(world, id).is_none()) {
                let code = match id.split('-').next() {
                    Some("sgr") => "InvalidSecurityGroupRuleId.NotFound",
                    Some("vpce") => "InvalidVpcEndpointId.NotFound",
                    _ => "InvalidGroup.NotFound",
                };
                return Err(Fault(400, code, format!("there is no {id}")));
            }
            for id in ids {
                let Some(tags) = tags_of(world, id) else { continue };
                for (key, value) in form.nodes("Tag").iter().map(|n| form.tag(n)) {
                    if name == "CreateTags" {
                        tags.insert(key, value);
                    } else {
                        tags.remove(&key);
                    }
                }
            }
            x.text("return", true);
        }
        _ => return Err(unknown(name)),
    }
    Ok(envelope(name, x, 0))
}

fn authorize(world: &mut World, group: &str, egress: bool, form: &Form) -> Result<Vec<Rule>, Fault> {
    if !world.groups.contains_key(group) {
        return Err(no_group(group));
    }
    let mut wanted = Vec::new();
    for node in form.nodes("IpPermissions") {
        let number = |field: &str| form.get(&format!("{node}.{field}")).and_then(|n| n.parse().ok()).unwrap_or(-1);
        let protocol = form.get(&format!("{node}.IpProtocol")).unwrap_or("-1");
        let groups = form.nodes(&format!("{node}.Groups")).into_iter().map(|n| (true, n));
        let ranges = form.nodes(&format!("{node}.IpRanges")).into_iter().map(|n| (false, n));
        for (is_group, peer) in groups.chain(ranges) {
            let text = |field: &str| form.get(&format!("{peer}.{field}")).unwrap_or_default().to_owned();
            let end = if is_group { Peer::Group(text("GroupId")) } else { Peer::Cidr(text("CidrIp")) };
            wanted.push((protocol, (number("FromPort"), number("ToPort")), end, text("Description")));
        }
    }
    for (protocol, ports, end, _) in &wanted {
        if let Peer::Group(id) = end
            && !world.groups.contains_key(id)
        {
            return Err(no_group(id));
        }
        let same = |r: &Rule| (r.egress, &*r.protocol, (r.from, r.to), &r.peer) == (egress, *protocol, *ports, end);
        if world.rules.get(group).into_iter().flatten().any(same) {
            return Err(duplicate(end, group));
        }
    }
    let there = world.rules.get(group).into_iter().flatten().filter(|r| r.egress == egress).count();
    if there + wanted.len() > RULES_PER_GROUP {
        let text = format!("the maximum number of rules per security group has been reached for {group}");
        return Err(Fault(400, "RulesPerSecurityGroupLimitExceeded", text));
    }
    // All or none.
    Ok(wanted.into_iter().map(|(p, ports, end, text)| world.add_rule(group, egress, p, ports, end, text, form.tags())).collect())
}

fn modify(world: &mut World, group: &str, form: &Form) -> Result<(), Fault> {
    let mut rules = world.rules.get(group).ok_or_else(|| no_group(group))?.clone();
    for node in form.nodes("SecurityGroupRule") {
        let id = form.get(&format!("{node}.SecurityGroupRuleId")).unwrap_or_default();
        let of = |field: &str| form.get(&format!("{node}.SecurityGroupRule.{field}")).map(str::to_owned);
        let number = |field: &str| of(field).and_then(|n| n.parse().ok()).unwrap_or(-1);
        let Some(rule) = rules.iter_mut().find(|r| r.id == id) else { return Err(no_rule(id)) };
        rule.protocol = of("IpProtocol").unwrap_or_else(|| "-1".into());
        (rule.from, rule.to) = (number("FromPort"), number("ToPort"));
        rule.peer =
            of("ReferencedGroupId").map(Peer::Group).or_else(|| of("CidrIpv4").map(Peer::Cidr)).unwrap_or_else(|| rule.peer.clone());
        rule.description = of("Description").unwrap_or_default();
        let new = rule.clone();
        let same = |r: &&Rule| {
            r.id != new.id && (r.egress, &r.protocol, r.from, r.to, &r.peer) == (new.egress, &new.protocol, new.from, new.to, &new.peer)
        };
        if rules.iter().find(same).is_some() {
            return Err(duplicate(&new.peer, group));
        }
    }
    world.rules.insert(group.into(), rules);
    Ok(())
}

fn create_endpoint(world: &mut World, form: &Form) -> Result<Endpoint, Fault> {
    let of = |field: &str| form.get(field).unwrap_or_default().to_owned();
    let ids = |field: &str| -> Vec<String> { form.list(field).into_iter().map(Into::into).collect() };
    let wanted = Endpoint {
        id: String::new(),
        vpc: of("VpcId"),
        service: of("ServiceName"),
        subnets: ids("SubnetId"),
        groups: ids("SecurityGroupId"),
        private_dns: of("PrivateDnsEnabled") == "true",
        policy: form.get("PolicyDocument").map_or_else(policy_of_all, Into::into),
        token: of("ClientToken"),
        tags: form.tags(),
        available_at: world.now + world.endpoint_takes.0,
        gone_at: None,
    };
    let request =
        format!("{:?}", (&wanted.vpc, &wanted.service, &wanted.subnets, &wanted.groups, wanted.private_dns, &wanted.policy, &wanted.tags));
    if let Some((asked, made)) = world.tokens.get(&wanted.token).filter(|_| !wanted.token.is_empty()) {
        if *asked != request {
            return Err(Fault(400, "IdempotentParameterMismatch", "the client token was used with other parameters".into()));
        }
        // As it is now; one that is gone is told as one that is going.
        let gone = Endpoint { gone_at: Some(world.now), ..made.clone() };
        return Ok(world.endpoints.get(&made.id).cloned().unwrap_or(gone));
    }
    if let Some(missing) = wanted.groups.iter().find(|g| !world.groups.contains_key(*g)) {
        return Err(no_group(missing));
    }
    let conflicts = |e: &Endpoint| e.vpc == wanted.vpc && e.service == wanted.service && e.private_dns;
    if wanted.private_dns && world.endpoints.values().any(conflicts) {
        let text = format!(
            "private-dns-enabled cannot be set because there is already a conflicting DNS domain for {} in the VPC {}",
            wanted.service, wanted.vpc
        );
        return Err(Fault(400, "InvalidParameter", text));
    }
    let made = Endpoint { id: world.new_id("vpce"), ..wanted };
    world.tokens.insert(made.token.clone(), (request, made.clone()));
    world.endpoints.insert(made.id.clone(), made.clone());
    Ok(made)
}

fn modify_endpoint(world: &mut World, form: &Form) -> Result<(), Fault> {
    let id = form.get("VpcEndpointId").unwrap_or_default();
    let missing = || Fault(400, "InvalidVpcEndpointId.NotFound", format!("the VPC endpoint {id} does not exist"));
    let endpoint = world.endpoints.get_mut(id).filter(|e| e.gone_at.is_none()).ok_or_else(missing)?;
    let merge = |list: &mut Vec<String>, kind: &str| {
        let add = form.list(&format!("Add{kind}"));
        let remove = form.list(&format!("Remove{kind}"));
        list.retain(|i| !remove.contains(&i.as_str()));
        list.extend(add.into_iter().map(str::to_owned));
        list.sort();
        list.dedup();
    };
    merge(&mut endpoint.subnets, "SubnetId");
    merge(&mut endpoint.groups, "SecurityGroupId");
    if let Some(policy) = form.get("PolicyDocument") {
        endpoint.policy = policy.into();
    }
    if let Some(dns) = form.get("PrivateDnsEnabled") {
        endpoint.private_dns = dns == "true";
    }
    Ok(())
}

fn tags_of<'a>(world: &'a mut World, id: &str) -> Option<&'a mut Tags> {
    let rules = world.rules.values_mut().flatten().filter(|r| r.id == id).map(|r| &mut r.tags);
    let groups = world.groups.get_mut(id).map(|g| &mut g.tags);
    let endpoints = world.endpoints.get_mut(id).map(|e| &mut e.tags);
    rules.chain(groups).chain(endpoints).next()
}

fn duplicate(peer: &Peer, group: &str) -> Fault {
    Fault(400, "InvalidPermission.Duplicate", format!("the rule {peer:?} is in {group} already"))
}

fn no_group(id: &str) -> Fault {
    Fault(400, "InvalidGroup.NotFound", format!("there is no security group {id}"))
}

fn no_rule(id: &str) -> Fault {
    Fault(400, "InvalidSecurityGroupRuleId.NotFound", format!("there is no rule {id}"))
}
