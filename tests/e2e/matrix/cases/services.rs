//! To AWS services, and from DMS Serverless.

use dmsnet::reach::Code;

use super::*;

pub const SERVICES: &[Case] = {
    use Code::*;
    use Kind::{Gateway, Interface, Serverless};
    fn target(t: &Net) -> String {
        t.security_group_ids.target.clone()
    }
    fn endpoint(t: &Net) -> String {
        at(t, "/vpcEndpointId").to_owned()
    }
    fn becomes(t: &Net, becomes: Becomes) -> Vec<Deed> {
        vec![Endpoint { id: endpoint(t), becomes }]
    }
    fn no_https(t: &Net) -> Vec<Deed> {
        vec![Revoke { group: replication(t), egress: true, port: HTTPS, far: false }]
    }
    const HTTPS_PORTS: (i32, i32) = (HTTPS, HTTPS);
    &[
        case("no egress to S3", Gateway, no_https, EgressMissing, replication),
        case("S3: ACL out", Gateway, |t| deny(acl(t), true, HTTPS_PORTS), AclDeniesOut, acl),
        case("no gateway endpoint", Gateway, |t| becomes(t, Becomes::Deleted), ServiceUnreachable, |_| "com.amazonaws.us-west-2.s3".into())
            .names("spec.vpcEndpoints"),
        case("not on the route table", Gateway, |t| becomes(t, Becomes::OffTable(table(t))), EndpointNotOnRouteTable, endpoint),
        case("no egress to the endpoint", Interface, no_https, EgressMissing, replication),
        case(
            "the endpoint's group admits nobody",
            Interface,
            |t| vec![Revoke { group: target(t), egress: false, port: HTTPS, far: false }],
            IngressMissing,
            target,
        ),
        case("the endpoint's ACL", Interface, |t| deny(acl(t), true, HTTPS_PORTS), AclDeniesOut, acl),
        case("private DNS off", Interface, |t| becomes(t, Becomes::WithoutPrivateDns), EndpointPrivateDnsOff, endpoint),
        case("endpoint failed", Interface, |t| becomes(t, Becomes::State("failed")), EndpointNotAvailable, endpoint)
            .otherwise("create the endpoint anew", |t| becomes(t, Becomes::State("available"))),
        case(
            "no interface endpoint",
            Interface,
            |t| becomes(t, Becomes::Deleted),
            ServiceUnreachable,
            |_| "com.amazonaws.us-west-2.kinesis-streams".into(),
        )
        .names("spec.vpcEndpoints"),
        case("no egress", Serverless, no_egress, EgressMissing, replication).ours(),
        case("no ingress", Serverless, no_ingress, IngressMissing, database).ours(),
        case("ACL in", Serverless, in_denied, AclDeniesIn, acl),
        case("ACL in, answers", Serverless, answer_in_denied, AclDeniesReplyIn, acl),
    ]
};
