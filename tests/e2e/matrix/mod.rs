//! The fault matrix on real parts: an open path of each configuration, each hop broken alone through AWS's own API by somebody
//! else. dmsnet, in Observe with `Check`, must name exactly that hop; then the AWS CLI lines that it prints are carried out by the
//! AWS CLI, and the path must be open again. In Enforce with `Manage` it must mend what it may set by itself. What cannot be broken
//! so is broken in memory, in `tests/reach/faults.rs`: `in_memory::ONLY` lists it with the reasons, and a test holds that it is all.

mod cases;
mod deed;
#[path = "../../support/in_memory.rs"]
mod in_memory;
mod run;
mod site;

use std::collections::BTreeSet;

use dmsnet::reach::Code;
use strum::IntoEnumIterator;

use self::{
    cases::{BLOCK_PUBLIC_ACCESS, CLASSIC_LINK, INTERNET, NAT_GATEWAY, ON_PREMISES, PEERED_VPC, SAME_VPC, SERVICES},
    deed::Deed,
    run::{checked, kept},
    site::Kind,
};
use crate::harness::Topology;

const ALL: [&[Case]; 8] = [SAME_VPC, PEERED_VPC, ON_PREMISES, INTERNET, NAT_GATEWAY, CLASSIC_LINK, SERVICES, BLOCK_PUBLIC_ACCESS];

/// One hop broken.
pub struct Case {
    pub what: &'static str,
    pub at: Kind,
    pub deeds: fn(&Topology) -> Vec<Deed>,
    /// The finding that must come first, and the resource that it must name.
    pub code: Code,
    pub resource: fn(&Topology) -> String,
    /// Findings in all, where one thing broken is several things to see.
    pub also: &'static [Code],
    pub mends: Mends,
    /// Whether dmsnet may mend it by itself, in Enforce with Manage.
    pub ours: bool,
}

/// What opens the path again.
pub enum Mends {
    /// The printed AWS CLI lines.
    Lines,
    /// AWS allows no change: the fix says what takes its place, in words that hold this, and these deeds do that.
    Otherwise(&'static str, fn(&Topology) -> Vec<Deed>),
    /// The same, but what takes its place is another object, which the spec would have to name.
    Names(&'static str),
}

impl Case {
    /// Nothing that can be done to what is there opens it.
    fn stays(&self) -> bool {
        matches!(self.mends, Mends::Names(_))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn same_vpc() {
    checked("matrix-same-vpc", SAME_VPC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peered_vpc() {
    checked("matrix-peered", PEERED_VPC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_premises() {
    checked("matrix-premises", ON_PREMISES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn internet() {
    checked("matrix-internet", INTERNET).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nat_gateway() {
    checked("matrix-nat", NAT_GATEWAY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn classic_link() {
    checked("matrix-classic-link", CLASSIC_LINK).await;
}

/// Other AWS services that DMS must reach, and DMS Serverless.
#[tokio::test(flavor = "multi_thread")]
async fn services() {
    checked("matrix-services", SERVICES).await;
}

/// It holds for the whole account: in an account of its own.
#[tokio::test(flavor = "multi_thread")]
async fn block_public_access() {
    checked("matrix-bpa", BLOCK_PUBLIC_ACCESS).await;
}

/// In Enforce with Manage no path stays blocked by something that dmsnet may set; an explicit deny is somebody's will.
#[tokio::test(flavor = "multi_thread")]
async fn what_dmsnet_may_set_is_mended_by_itself() {
    let ours = ALL.iter().copied().flatten().filter(|c| c.ours);
    let denies = SAME_VPC.iter().filter(|c| c.code == Code::AclDeniesOut && !c.ours);
    kept("matrix-mends", ours.chain(denies).collect()).await;
}

/// Every finding that blocks is provoked here, or in memory with a reason.
#[test]
fn what_is_not_broken_here_is_broken_in_memory() {
    let blocks =
        |c: &Code| !matches!(c.section(), "Not known" | "To be known") && !matches!(c, Code::AclNatPortsClosed | Code::RouteAmbiguous);
    let cases = || ALL.iter().copied().flatten();
    let here = |c: &Code| cases().any(|case| case.code == *c || case.also.contains(c));
    let missing: BTreeSet<Code> = Code::iter().filter(|c| blocks(c) && !here(c)).collect();
    let listed: BTreeSet<Code> = in_memory::ONLY.iter().map(|(code, _)| *code).collect();
    assert_eq!(missing, listed);
}

#[test]
fn there_are_enough_cases_and_each_configuration_has_some() {
    let all: usize = ALL.iter().map(|t| t.len()).sum();
    assert!(all >= 60 && ALL.iter().all(|t| !t.is_empty()), "{all}");
    eprintln!("{all} cases in all, of which dmsnet may mend {}", ALL.iter().copied().flatten().filter(|c| c.ours).count());
}
