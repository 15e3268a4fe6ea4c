//! Every operation of AWS that the code calls, and what it is for: `dmsnet iam-policy` is made from this table, and tests
//! compare it with the code and with the calls that were seen.

/// What an operation is called for: each asks for permissions of its own (domain.md 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Any caller may.
    Free,
    /// Roles of classes.
    Assume,
    /// DMS's own connection tests.
    Test,
    /// To look; nearly none can be narrowed to resources.
    Read,
    /// To look for what `dmsnet import` describes; the controller never does.
    Import,
    /// Rules of security groups.
    AuthorizeRules,
    /// Rules of ours, put right in place.
    ModifyRules,
    /// Rules of ours, and of others where a network says `foreignRules: Revoke`.
    RevokeRules,
    /// Groups for VPC endpoints.
    CreateGroup,
    /// The same, when nobody needs them any more.
    DeleteGroup,
    /// VPC endpoints.
    CreateEndpoint,
    /// VPC endpoints of ours, or taken over.
    ModifyEndpoint,
    /// VPC endpoints of ours.
    DeleteEndpoint,
    /// To empty a change queue.
    Queue,
    /// Entries of network ACLs, where networks say `networkAcls: Manage`.
    AclEntries,
    /// Routes, where networks say `routes: Manage`.
    Routes,
    /// Marks of ownership.
    Tag,
    /// The same, taken off.
    Untag,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Prefix of the service in IAM; the same as in our errors and metrics.
    pub service: &'static str,
    /// Its name: IAM's action is the same.
    pub name: &'static str,
    /// What it is called for.
    pub purpose: Purpose,
}

impl Operation {
    /// IAM's action, such as `ec2:DescribeVpcs`.
    pub fn action(&self) -> String {
        format!("{}:{}", self.service, self.name)
    }
}

/// Whether an operation changes nothing. One that is not known may.
pub fn only_reads(service: &str, operation: &str) -> bool {
    let known = OPERATIONS.iter().find(|o| o.service == service && o.name == operation);
    known.is_some_and(|o| matches!(o.purpose, Purpose::Free | Purpose::Read))
}

macro_rules! operations {
    ($($purpose:ident: $service:literal $($name:literal)+;)+) => {
        &[$($(Operation { service: $service, name: $name, purpose: Purpose::$purpose },)+)+]
    };
}

/// All operations.
pub const OPERATIONS: &[Operation] = operations! {
    Free: "sts" "GetCallerIdentity";
    Assume: "sts" "AssumeRole";
    Test: "dms" "TestConnection";
    Read: "dms" "DescribeConnections" "DescribeEndpoints" "DescribeReplicationConfigs" "DescribeReplicationInstances"
        "DescribeReplicationSubnetGroups";
    Import: "dms" "DescribeReplicationTasks";
    Read: "ec2" "DescribeInternetGateways" "DescribeManagedPrefixLists" "DescribeNatGateways" "DescribeNetworkAcls"
        "DescribeNetworkInterfaces" "DescribeRouteTables" "DescribeSecurityGroupRules" "DescribeSecurityGroups" "DescribeSubnets"
        "DescribeTransitGatewayVpcAttachments" "DescribeVpcAttribute" "DescribeVpcEndpointServices" "DescribeVpcEndpoints"
        "DescribeVpcPeeringConnections" "DescribeVpcs" "GetManagedPrefixListEntries";
    Read: "rds" "DescribeDBClusters" "DescribeDBInstances" "DescribeDBSubnetGroups";
    AuthorizeRules: "ec2" "AuthorizeSecurityGroupEgress" "AuthorizeSecurityGroupIngress";
    ModifyRules: "ec2" "ModifySecurityGroupRules";
    RevokeRules: "ec2" "RevokeSecurityGroupEgress" "RevokeSecurityGroupIngress";
    CreateGroup: "ec2" "CreateSecurityGroup";
    DeleteGroup: "ec2" "DeleteSecurityGroup";
    CreateEndpoint: "ec2" "CreateVpcEndpoint";
    ModifyEndpoint: "ec2" "ModifyVpcEndpoint";
    DeleteEndpoint: "ec2" "DeleteVpcEndpoints";
    Queue: "sqs" "ChangeMessageVisibility" "DeleteMessage" "ReceiveMessage";
    AclEntries: "ec2" "CreateNetworkAclEntry" "DeleteNetworkAclEntry" "ReplaceNetworkAclEntry";
    Routes: "ec2" "CreateRoute" "DeleteRoute" "ReplaceRoute";
    Tag: "ec2" "CreateTags";
    Untag: "ec2" "DeleteTags";
};

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// `describe_db_instances` for `DescribeDBInstances`: the SDK's method.
    fn method(name: &str) -> String {
        let letters: Vec<char> = name.chars().collect();
        let mut out = String::new();
        for (i, c) in letters.iter().enumerate() {
            let after_lower = i > 0 && letters[i - 1].is_lowercase();
            let before_lower = i > 0 && letters.get(i + 1).is_some_and(|n| n.is_lowercase());
            if c.is_uppercase() && (after_lower || before_lower) {
                out.push('_');
            }
            out.extend(c.to_lowercase());
        }
        out
    }

    fn sources(dir: &Path, out: &mut String) {
        for entry in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                sources(&entry, out);
            } else if entry.extension().is_some_and(|e| e == "rs") && !entry.ends_with("permissions.rs") {
                out.push_str(&fs::read_to_string(entry).unwrap());
            }
        }
    }

    #[test]
    fn every_operation_of_the_table_is_called() {
        assert_eq!(method("DescribeDBInstances"), "describe_db_instances");
        assert_eq!(method("DescribeVpcEndpoints"), "describe_vpc_endpoints");
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws"), &mut text);
        for operation in OPERATIONS {
            let method = method(operation.name);
            // The SDK's provider of credentials calls the one; IAM knows no batches.
            let by_provider = operation.purpose == Purpose::Assume && text.contains("AssumeRoleProvider::builder");
            let names = [format!(".{method}()"), format!(".{method}_batch()"), format!(" {method},")];
            let called = by_provider || names.iter().any(|name| text.contains(name));
            assert!(called, "{} is in the table, but {method} is never called", operation.action());
        }
        let distinct: BTreeSet<String> = OPERATIONS.iter().map(Operation::action).collect();
        assert_eq!(distinct.len(), OPERATIONS.len());
    }

    /// What is told of a refused call is its operation: each of them is in the table.
    #[test]
    fn every_operation_that_errors_name_is_in_the_table() {
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws"), &mut text);
        for service in ["ec2", "dms", "rds", "sts", "sqs"] {
            for part in text.split(&format!("\"{service}\", \"")).skip(1) {
                let name = part.split('"').next().unwrap_or_default();
                let known = OPERATIONS.iter().any(|o| o.service == service && o.name == name);
                assert!(known, "{service}:{name} is not in the table");
            }
        }
    }
}
