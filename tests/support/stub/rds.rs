//! RDS's one read, and STS's answer to whose credentials these are.

use std::collections::HashSet;

use super::{
    ACCOUNT, Answer, Fault, Form, Outcome,
    form::page,
    unknown,
    world::{Ids, World},
    xml::Xml,
};

/// Most rows of a page.
const PAGE: usize = 100;

pub fn respond(world: &World, name: &str, form: &Form) -> Outcome {
    if name != "DescribeDBInstances" {
        return Err(unknown(name));
    }
    let mut chosen: Vec<Ids> = (0..world.topologies).map(Ids).collect();
    for node in form.nodes("Filters.Filter") {
        if form.get(&format!("{node}.Name")) != Some("db-instance-id") {
            return Err(Fault(400, "InvalidParameterValue", "the stub does not know that filter".into()));
        }
        let values: HashSet<&str> = form.list(&format!("{node}.Values.Value")).into_iter().collect();
        chosen.retain(|i| values.contains(i.database().as_str()));
    }
    let size = form.get("MaxRecords").and_then(|s| s.parse().ok()).unwrap_or(PAGE);
    let (chosen, next) = page(chosen, form.get("Marker"), Some(size), PAGE)?;
    let count = chosen.len();
    let mut x = Xml::default();
    x.node("DescribeDBInstancesResponse", |x| {
        x.node("DescribeDBInstancesResult", |x| {
            x.list("DBInstances", "DBInstance", chosen, &mut |x, i| database(x, i, &world.database_host));
            if let Some(next) = next {
                x.text("Marker", next);
            }
        });
    });
    Ok(Answer { body: x.0, rows: count })
}

fn database(x: &mut Xml, i: Ids, host: &str) {
    x.text("DBInstanceIdentifier", i.database());
    x.text("DBInstanceClass", "db.t3.medium");
    x.text("Engine", "mysql");
    x.text("DBInstanceStatus", "available");
    x.text("PubliclyAccessible", false);
    x.text("MultiAZ", false);
    x.node("Endpoint", |x| {
        x.text("Address", host);
        x.text("Port", 3306);
    });
    x.list("VpcSecurityGroups", "VpcSecurityGroupMembership", [i.target()], &mut |x, id| {
        x.text("VpcSecurityGroupId", id);
        x.text("Status", "active");
    });
    x.node("DBSubnetGroup", |x| {
        x.text("DBSubnetGroupName", "orders");
        x.text("VpcId", i.vpc());
        x.list("Subnets", "Subnet", &i.subnets()[2..], &mut |x, id: &String| {
            x.text("SubnetIdentifier", id);
            x.text("SubnetStatus", "Active");
        });
    });
}

pub fn caller(name: &str) -> Outcome {
    if name != "GetCallerIdentity" {
        return Err(unknown(name));
    }
    let mut x = Xml::default();
    x.node("GetCallerIdentityResponse", |x| {
        x.node("GetCallerIdentityResult", |x| {
            x.text("Arn", format!("arn:aws:iam::{ACCOUNT}:user/bench"));
            x.text("UserId", "AIDABENCH");
            x.text("Account", ACCOUNT);
        });
    });
    Ok(Answer { body: x.0, rows: 1 })
}
