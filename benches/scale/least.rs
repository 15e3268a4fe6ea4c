//! The least number of pages that can carry what the networks need to know, by AWS's own limits of a page (domain.md 3.1).

/// How often a fact is read: what may be ten times older needs a tenth of the reads, what hardly ever changes a thirtieth.
const SLOW: f64 = 1.0 / 10.0;
const RARE: f64 = 1.0 / 30.0;

/// An operation, how many rows a reference topology has of it, how many fit a page, and what part of the sweeps needs it.
struct Read {
    operation: &'static str,
    rows: f64,
    page: f64,
    pace: f64,
}

const READS: [Read; 13] = [
    // Six of ours, and the one that AWS puts into the endpoint's group.
    Read { operation: "ec2:DescribeSecurityGroupRules", rows: 7.0, page: 1000.0, pace: 1.0 },
    // The four, and the default group of the VPC.
    Read { operation: "ec2:DescribeSecurityGroups", rows: 5.0, page: 1000.0, pace: 1.0 },
    Read { operation: "ec2:DescribeVpcEndpoints", rows: 1.0, page: 1000.0, pace: 1.0 },
    Read { operation: "dms:DescribeReplicationInstances", rows: 1.0, page: 100.0, pace: 1.0 },
    Read { operation: "dms:DescribeEndpoints", rows: 1.0, page: 100.0, pace: SLOW },
    Read { operation: "dms:DescribeConnections", rows: 1.0, page: 100.0, pace: SLOW },
    Read { operation: "rds:DescribeDBInstances", rows: 1.0, page: 100.0, pace: SLOW },
    Read { operation: "ec2:DescribeVpcs", rows: 1.0, page: 1000.0, pace: SLOW },
    // One VPC and one attribute a call; there is no other way to ask.
    Read { operation: "ec2:DescribeVpcAttribute", rows: 2.0, page: 1.0, pace: RARE },
    Read { operation: "ec2:DescribeSubnets", rows: 4.0, page: 1000.0, pace: SLOW },
    Read { operation: "ec2:DescribeRouteTables", rows: 3.0, page: 100.0, pace: SLOW },
    Read { operation: "ec2:DescribeNetworkAcls", rows: 1.0, page: 1000.0, pace: SLOW },
    Read { operation: "ec2:DescribeVpcEndpointServices", rows: 0.0, page: 1000.0, pace: RARE },
];

/// Calls per sweep, and the formula in words. An operation that the networks do not need has none.
pub fn of(operation: &str, networks: usize) -> Option<(f64, String)> {
    let read = READS.iter().find(|r| r.operation == operation)?;
    let pages = (read.rows * networks as f64 / read.page).ceil().max(1.0);
    let part = match read.pace {
        SLOW => " / 10",
        RARE => " / 30",
        _ => "",
    };
    let formula = match (read.rows, read.page) {
        (0.0, _) => format!("1{part}"),
        (rows, 1.0) => format!("{rows} × N{part}"),
        (rows, page) => format!("⌈{rows} × N / {page}⌉{part}"),
    };
    Some((pages * read.pace, formula))
}
