//! AWS identifiers, one type each, cheap to clone.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::intern::Interner;

/// Each object names others, and each question its object: without this there were five copies of an ID.
static IDS: Interner<str> = Interner::new();

/// The one copy of a text that many objects have: a UID, the name of a service or of a zone.
pub fn shared(text: &str) -> Arc<str> {
    one(text)
}

fn one<I: Borrow<str> + Into<Arc<str>>>(id: I) -> Arc<str> {
    IDS.one(id)
}

/// What is named once or twice takes less without a place among those that are shared.
fn alone<I: Into<Arc<str>>>(id: I) -> Arc<str> {
    id.into()
}

macro_rules! id {
    ($kept:ident: $($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as AWS writes it.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl From<&str> for $name {
            fn from(s: &str) -> Self { Self($kept(s)) }
        }
        impl From<String> for $name {
            fn from(s: String) -> Self { Self($kept(s)) }
        }
        impl From<&String> for $name {
            fn from(s: &String) -> Self { Self($kept(s.as_str())) }
        }
        /// The same text, shared.
        impl From<&$name> for Arc<str> {
            fn from(id: &$name) -> Self { id.0.clone() }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    )+};
}

id! {
    alone:
    /// `sgr-…`
    SecurityGroupRuleId,
}

id! {
    one:
    /// `sg-…`
    SecurityGroupId,
    /// `vpc-…`
    VpcId,
    /// `subnet-…`
    SubnetId,
    /// `vpce-…`
    VpcEndpointId,
    /// `pl-…`
    PrefixListId,
    /// `eni-…`
    NetworkInterfaceId,
    /// `acl-…`
    NetworkAclId,
    /// `rtb-…`
    RouteTableId,
    /// `pcx-…`
    PeeringConnectionId,
    /// `nat-…`
    NatGatewayId,
    /// `igw-…`
    InternetGatewayId,
    /// `tgw-…`
    TransitGatewayId,
    /// `vgw-…`
    VpnGatewayId,
}
