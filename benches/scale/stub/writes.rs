//! EC2's writes, as far as networks of the reference topology make them.

use super::{
    Fault, Form, Outcome,
    ec2::{endpoint, envelope, rule},
    unknown,
    world::{Endpoint, Group, Peer, World, policy_of_all},
    xml::Xml,
};

pub fn respond(world: &mut World, name: &str, form: &Form) -> Outcome {
    let mut x = Xml::default();
    let of = |field: &str| form.get(field).unwrap_or_default();
    match name {
        "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress" => {
            let egress = name.ends_with("Egress");
            let group = of("GroupId");
            if !world.groups.contains_key(group) {
                return Err(no_group(group));
            }
            let mut made = Vec::new();
            for node in form.nodes("IpPermissions") {
                let number = |field: &str| form.get(&format!("{node}.{field}")).and_then(|n| n.parse().ok()).unwrap_or(-1);
                let protocol = form.get(&format!("{node}.IpProtocol")).unwrap_or("-1");
                let groups = form.nodes(&format!("{node}.Groups")).into_iter().map(|n| (true, n));
                let ranges = form.nodes(&format!("{node}.IpRanges")).into_iter().map(|n| (false, n));
                for (is_group, peer) in groups.chain(ranges) {
                    let text = |field: &str| form.get(&format!("{peer}.{field}")).unwrap_or_default().to_owned();
                    let end = if is_group { Peer::Group(text("GroupId")) } else { Peer::Cidr(text("CidrIp")) };
                    let ports = (number("FromPort"), number("ToPort"));
                    let same =
                        |r: &&super::world::Rule| (r.egress, &*r.protocol, (r.from, r.to), &r.peer) == (egress, protocol, ports, &end);
                    if world.rules.get(group).into_iter().flatten().any(|r| same(&r)) {
                        return Err(Fault(400, "InvalidPermission.Duplicate", format!("the rule {end:?} is in {group} already")));
                    }
                    made.push(world.add_rule(group, egress, protocol, ports, end, text("Description"), form.tags()));
                }
            }
            x.text("return", true);
            x.items("securityGroupRuleSet", &made, rule);
        }
        "RevokeSecurityGroupIngress" | "RevokeSecurityGroupEgress" => {
            let ids = form.list("SecurityGroupRuleId");
            let rules = world.rules.get_mut(of("GroupId")).ok_or_else(|| no_group(of("GroupId")))?;
            if let Some(missing) = ids.iter().find(|id| !rules.iter().any(|r| r.id == **id)) {
                return Err(Fault(400, "InvalidSecurityGroupRuleId.NotFound", format!("there is no rule {missing}")));
            }
            rules.retain(|r| !ids.contains(&r.id.as_str()));
            x.text("return", true);
        }
        "CreateSecurityGroup" => {
            let id = world.new_id("sg");
            world.add_group(Group { id: id.clone(), name: of("GroupName").into(), vpc: of("VpcId").into(), tags: form.tags() });
            x.text("return", true);
            x.text("groupId", id);
        }
        "DeleteSecurityGroup" => {
            world.groups.remove(of("GroupId")).ok_or_else(|| no_group(of("GroupId")))?;
            world.rules.remove(of("GroupId"));
            x.text("return", true);
        }
        "CreateVpcEndpoint" => {
            let token = of("ClientToken").to_owned();
            let known = world.endpoints.values().find(|e| !token.is_empty() && e.token == token).cloned();
            let made = known.unwrap_or_else(|| Endpoint {
                id: world.new_id("vpce"),
                vpc: of("VpcId").into(),
                service: of("ServiceName").into(),
                subnets: form.list("SubnetId").into_iter().map(Into::into).collect(),
                groups: form.list("SecurityGroupId").into_iter().map(Into::into).collect(),
                private_dns: of("PrivateDnsEnabled") == "true",
                policy: form.get("PolicyDocument").map_or_else(policy_of_all, Into::into),
                token,
                tags: form.tags(),
            });
            x.node("vpcEndpoint", |x| endpoint(x, &made));
            world.endpoints.insert(made.id.clone(), made);
        }
        "DeleteVpcEndpoints" => {
            for id in form.list("VpcEndpointId") {
                world.endpoints.remove(id);
            }
            x.items("unsuccessful", Vec::<()>::new(), |_, ()| {});
        }
        "CreateTags" => {
            let tags: Vec<(String, String)> = form.nodes("Tag").iter().map(|n| form.tag(n)).collect();
            for id in form.list("ResourceId") {
                let rules = world.rules.values_mut().flatten().filter(|r| r.id == id).map(|r| &mut r.tags);
                let group = world.groups.get_mut(id).map(|g| &mut g.tags);
                let endpoint = world.endpoints.get_mut(id).map(|e| &mut e.tags);
                rules.chain(group).chain(endpoint).for_each(|old| old.extend(tags.iter().cloned()));
            }
            x.text("return", true);
        }
        _ => return Err(unknown(name)),
    }
    Ok(envelope(name, x, 0))
}

fn no_group(id: &str) -> Fault {
    Fault(400, "InvalidGroup.NotFound", format!("there is no security group {id}"))
}
