//! Where things are: what a picture of AWS says about the IDs that paths name.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::model::Picture;

/// Which VPC things are in, and what VPCs and subnets are like.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The VPC of an object.
    vpcs: BTreeMap<String, String>,
    /// CIDRs of VPCs.
    cidrs: BTreeMap<String, Vec<IpNet>>,
    /// Availability Zone and CIDRs of subnets.
    subnets: BTreeMap<String, (String, Vec<IpNet>)>,
    /// The two sides of peerings: VPC, account, Region.
    peerings: BTreeMap<String, [Side; 2]>,
}

#[derive(Clone, Debug)]
struct Side {
    vpc: String,
    account: String,
    region: String,
}

impl Places {
    /// As a picture has it.
    pub fn of(picture: &Picture) -> Self {
        let mut places = Self::default();
        places.add(picture);
        places
    }

    /// What another picture knows, too.
    pub fn add(&mut self, p: &Picture) {
        let mut put = |id: &dyn ToString, vpc: &dyn ToString| drop(self.vpcs.insert(id.to_string(), vpc.to_string()));
        p.groups.values().for_each(|o| put(&o.id, &o.vpc));
        p.acls.values().for_each(|o| put(&o.id, &o.vpc));
        p.route_tables.values().for_each(|o| put(&o.id, &o.vpc));
        p.subnets.values().for_each(|o| put(&o.id, &o.vpc));
        p.nat_gateways.values().for_each(|o| put(&o.id, &o.vpc));
        p.endpoints.values().for_each(|o| put(&o.id, &o.vpc));
        p.interfaces.values().for_each(|o| put(&o.id, &o.vpc));
        self.subnets.extend(p.subnets.values().map(|s| (s.id.to_string(), (s.zone.clone(), s.cidrs.clone()))));
        for peering in p.peerings.values() {
            let side =
                |s: &crate::model::PeeringSide| Side { vpc: s.vpc.to_string(), account: s.account.clone(), region: s.region.clone() };
            for s in [&peering.requester, &peering.accepter] {
                self.cidrs.entry(s.vpc.to_string()).or_insert_with(|| s.cidrs.clone());
            }
            self.peerings.insert(peering.id.to_string(), [side(&peering.requester), side(&peering.accepter)]);
        }
        self.cidrs.extend(p.vpcs.values().map(|v| (v.id.to_string(), v.cidrs.clone())));
    }

    /// The VPC of the first of these that is known.
    pub(super) fn vpc(&self, resource: &str) -> Option<String> {
        resource.split(", ").find_map(|id| self.vpcs.get(id)).cloned()
    }

    /// The VPC behind a peering connection.
    pub(super) fn behind(&self, peering: &str, home: &str) -> Option<String> {
        let [a, b] = self.peerings.get(peering)?;
        [a, b].into_iter().find(|s| s.vpc != home).map(|s| s.vpc.clone())
    }

    /// A VPC in words: its ID, its CIDRs, and its account and Region where they are others.
    pub(super) fn vpc_in_words(&self, vpc: &str, account: &str, region: &str) -> Vec<String> {
        let mut words = vec![vpc.to_owned()];
        words.extend(self.cidrs.get(vpc).map(|c| list(c)).filter(|c| !c.is_empty()));
        if let Some(side) = self.peerings.values().flatten().find(|s| s.vpc == vpc) {
            words.extend((side.account != account && !side.account.is_empty()).then(|| format!("account {}", side.account)));
            words.extend((side.region != region && !side.region.is_empty()).then(|| side.region.clone()));
        }
        words
    }

    /// Availability Zone and CIDRs of a subnet; empty where they are not known.
    pub(super) fn subnet(&self, subnet: &str) -> (String, String) {
        self.subnets.get(subnet).map(|(zone, cidrs)| (zone.clone(), list(cidrs))).unwrap_or_default()
    }
}

fn list(cidrs: &[IpNet]) -> String {
    cidrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
