//! Many questions, few calls: questions of one kind go into one call, up to 200 IDs at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::future::{BoxFuture, join_all};
use tokio::{sync::Semaphore, time::Instant};

use super::{
    calls,
    clients::Clients,
    errors::{AwsError, AwsErrorKind},
};
use crate::model::{DmsEndpoint, Need, RdsDatabase, ReplicationInstance, Rule, SecurityGroup, ServiceDetail, Subnet, Vpc, VpcEndpoint};

/// Values that EC2 takes in one filter.
const EC2_VALUES: usize = 200;
/// Identifiers in one filter of DMS or RDS: no more than one page answers.
const NAMES: usize = 100;
/// Calls under way at a time, per store.
pub(super) const PARALLEL: usize = 8;

/// What one call was asked, and what it answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) needs: Vec<Need>,
    /// Before the request went out: the answer knows of everything earlier.
    pub(super) started: Instant,
    pub(super) result: Result<Objects, AwsError>,
}

/// The objects that answer a call; those not among them do not exist.
#[derive(Debug)]
pub(super) enum Objects {
    Rules(Vec<Rule>),
    Groups(Vec<SecurityGroup>),
    Endpoints(Vec<VpcEndpoint>),
    Subnets(Vec<Subnet>),
    Vpcs(Vec<Vpc>),
    Services(Vec<(Arc<str>, ServiceDetail)>),
    Instances(Vec<ReplicationInstance>),
    DmsEndpoints(Vec<DmsEndpoint>),
    DbInstances(Vec<RdsDatabase>),
    DbClusters(Vec<RdsDatabase>),
}

/// A call, and the parameter that the IDs or names go into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Rules,
    Groups(&'static str),
    Endpoints(&'static str),
    Subnets(&'static str),
    Vpcs,
    Services,
    Instances,
    DmsEndpoints,
    DbInstances,
    DbClusters,
}

impl Call {
    /// The call that answers a need; DNS answers hosts.
    fn of(need: &Need) -> Option<Self> {
        Some(match need {
            Need::RulesOf(_) => Self::Rules,
            Need::GroupsOf(_) => Self::Groups("vpc-id"),
            Need::Group(_) => Self::Groups("group-id"),
            Need::EndpointsOf(_) => Self::Endpoints("vpc-id"),
            Need::Endpoint(_) => Self::Endpoints("vpc-endpoint-id"),
            Need::SubnetsOf(_) => Self::Subnets("vpc-id"),
            Need::Subnet(_) => Self::Subnets("subnet-id"),
            Need::Vpc(_) => Self::Vpcs,
            Need::Service(_) => Self::Services,
            Need::ReplicationInstance(_) => Self::Instances,
            Need::DmsEndpoint(_) => Self::DmsEndpoints,
            Need::DbInstance(_) => Self::DbInstances,
            Need::DbCluster(_) => Self::DbClusters,
            // Not asked yet: nothing needs them.
            _ => return None,
        })
    }

    /// Whether one unknown name may fail the call for all the others.
    fn is_by_name(self) -> bool {
        matches!(self, Self::Services | Self::Instances | Self::DmsEndpoints | Self::DbInstances | Self::DbClusters)
    }

    /// The call for single objects of the kind that this one lists by VPC.
    fn single(self) -> Option<Self> {
        match self {
            Self::Groups("vpc-id") => Some(Self::Groups("group-id")),
            Self::Endpoints("vpc-id") => Some(Self::Endpoints("vpc-endpoint-id")),
            Self::Subnets("vpc-id") => Some(Self::Subnets("subnet-id")),
            _ => None,
        }
    }

    async fn make(self, c: &Clients, values: &[String]) -> Result<Objects, AwsError> {
        Ok(match self {
            Self::Rules => Objects::Rules(calls::rules(c, "group-id", values).await?),
            Self::Groups(by) => Objects::Groups(calls::groups(c, by, values).await?),
            Self::Endpoints(by) => Objects::Endpoints(calls::endpoints(c, by, values).await?),
            Self::Subnets(by) => Objects::Subnets(calls::subnets(c, by, values).await?),
            Self::Vpcs => Objects::Vpcs(calls::vpcs(c, values).await?),
            Self::Services => Objects::Services(calls::services(c, values).await?),
            Self::Instances => Objects::Instances(calls::replication_instances(c, values).await?),
            Self::DmsEndpoints => Objects::DmsEndpoints(calls::dms_endpoints(c, values).await?),
            Self::DbInstances => Objects::DbInstances(calls::db_instances(c, values).await?),
            Self::DbClusters => Objects::DbClusters(calls::db_clusters(c, values).await?),
        })
    }

    /// The answer that there is no such thing.
    fn nothing(self) -> Objects {
        match self {
            Self::Rules => Objects::Rules(vec![]),
            Self::Groups(_) => Objects::Groups(vec![]),
            Self::Endpoints(_) => Objects::Endpoints(vec![]),
            Self::Subnets(_) => Objects::Subnets(vec![]),
            Self::Vpcs => Objects::Vpcs(vec![]),
            Self::Services => Objects::Services(vec![]),
            Self::Instances => Objects::Instances(vec![]),
            Self::DmsEndpoints => Objects::DmsEndpoints(vec![]),
            Self::DbInstances => Objects::DbInstances(vec![]),
            Self::DbClusters => Objects::DbClusters(vec![]),
        }
    }
}

impl Objects {
    /// IDs of objects that can be asked for alone or with their VPC.
    fn ids(&self) -> BTreeSet<&str> {
        match self {
            Self::Groups(list) => list.iter().map(|g| g.id.as_str()).collect(),
            Self::Endpoints(list) => list.iter().map(|e| e.id.as_str()).collect(),
            Self::Subnets(list) => list.iter().map(|s| s.id.as_str()).collect(),
            _ => BTreeSet::new(),
        }
    }
}

/// The ID or name that a need asks for, as AWS's answer has it.
pub(super) fn value(need: &Need) -> String {
    match need {
        Need::ReplicationInstance(n) | Need::DmsEndpoint(n) | Need::DbInstance(n) | Need::DbCluster(n) => n.to_ascii_lowercase(),
        Need::Service(n) | Need::Host(n) => n.to_string(),
        Need::Vpc(id) | Need::SubnetsOf(id) | Need::GroupsOf(id) | Need::EndpointsOf(id) => id.to_string(),
        Need::Subnet(id) => id.to_string(),
        Need::Group(id) | Need::RulesOf(id) => id.to_string(),
        Need::Endpoint(id) => id.to_string(),
        Need::ReplicationConfig(n) | Need::SubnetGroup(n) | Need::DbSubnetGroup(n) => n.to_ascii_lowercase(),
        Need::ConnectionsOf(n) | Need::PrefixListNamed(n) => n.to_string(),
        Need::NetworkAclsOf(id)
        | Need::RouteTablesOf(id)
        | Need::NatGatewaysOf(id)
        | Need::InternetGatewayOf(id)
        | Need::PeeringConnectionsOf(id)
        | Need::TransitGatewayAttachmentsOf(id) => id.to_string(),
        Need::InterfacesWith(id) => id.to_string(),
        Need::Interface(id) => id.to_string(),
        Need::PrefixList(id) => id.to_string(),
    }
}

fn values(needs: &[Need]) -> Vec<String> {
    let distinct: BTreeSet<String> = needs.iter().map(value).collect();
    distinct.into_iter().collect()
}

/// Whether a name that AWS does not know failed the call. Without a code nothing is known to be absent.
fn is_unknown_name(e: &AwsError) -> bool {
    (e.code.is_some() && e.kind == AwsErrorKind::NotFound) || e.has_code("InvalidServiceName")
}

/// Asks AWS.
pub(super) struct Reader {
    pub(super) clients: Clients,
    /// Lets so many calls through at a time.
    pub(super) gate: Arc<Semaphore>,
    /// Told of each call's answer as it comes.
    pub(super) sink: Box<dyn Fn(Answer) + Send + Sync>,
}

impl Reader {
    /// Asks all of these, each in exactly one answer. `lone` are the needs whose names AWS did not know the last time:
    /// they are asked one by one, since they would fail a call for the others.
    pub(super) async fn read(&self, needs: BTreeSet<Need>, lone: &BTreeSet<Need>) {
        let mut kinds: BTreeMap<Call, Vec<Need>> = BTreeMap::new();
        for need in needs {
            if let Some(call) = Call::of(&need) {
                kinds.entry(call).or_default().push(need);
            }
        }
        // Single objects are asked for after their VPCs, which may bring them along.
        let pairs: Vec<Call> = kinds.keys().copied().filter(|c| c.single().is_some()).collect();
        let mut all: Vec<BoxFuture<'_, ()>> = Vec::new();
        for call in pairs {
            let of_vpcs = kinds.remove(&call).unwrap_or_default();
            let single = call.single().and_then(|s| Some((s, kinds.remove(&s)?)));
            all.push(Box::pin(self.with_single(call, of_vpcs, single)));
        }
        for (call, needs) in kinds {
            if call.is_by_name() {
                let (alone, together): (Vec<Need>, Vec<Need>) = needs.into_iter().partition(|n| lone.contains(n));
                let chunks = together.chunks(NAMES).map(<[Need]>::to_vec).chain(alone.into_iter().map(|n| vec![n]));
                all.extend(chunks.map(|chunk| -> BoxFuture<'_, ()> { Box::pin(self.named(call, chunk)) }));
            } else {
                all.push(Box::pin(self.chunked(call, needs)));
            }
        }
        join_all(all).await;
    }

    /// One call, when there is room for it.
    async fn one(&self, call: Call, needs: &[Need]) -> (Instant, Result<Objects, AwsError>) {
        let _permit = self.gate.acquire().await;
        let started = Instant::now();
        (started, call.make(&self.clients, &values(needs)).await)
    }

    fn tell(&self, needs: Vec<Need>, started: Instant, result: Result<Objects, AwsError>) {
        (self.sink)(Answer { needs, started, result });
    }

    async fn simple(&self, call: Call, needs: Vec<Need>) {
        let (started, result) = self.one(call, &needs).await;
        self.tell(needs, started, result);
    }

    async fn chunked(&self, call: Call, needs: Vec<Need>) {
        join_all(needs.chunks(EC2_VALUES).map(|chunk| self.simple(call, chunk.to_vec()))).await;
    }

    async fn named(&self, call: Call, needs: Vec<Need>) {
        let (started, result) = self.one(call, &needs).await;
        match result {
            Err(e) if is_unknown_name(&e) && needs.len() == 1 => self.tell(needs, started, Ok(call.nothing())),
            Err(e) if is_unknown_name(&e) => {
                join_all(needs.into_iter().map(|need| self.alone(call, need))).await;
            }
            result => self.tell(needs, started, result),
        }
    }

    async fn alone(&self, call: Call, need: Need) {
        let (started, result) = self.one(call, std::slice::from_ref(&need)).await;
        let result = result.or_else(|e| if is_unknown_name(&e) { Ok(call.nothing()) } else { Err(e) });
        self.tell(vec![need], started, result);
    }

    /// All objects of VPCs, then single ones; those that came with their VPC need no call of their own.
    async fn with_single(&self, call: Call, of_vpcs: Vec<Need>, single: Option<(Call, Vec<Need>)>) {
        let (single_call, mut single) = single.map_or((call, Vec::new()), |(call, needs)| (call, needs));
        for chunk in of_vpcs.chunks(EC2_VALUES) {
            let (started, result) = self.one(call, chunk).await;
            let mut needs = chunk.to_vec();
            if let Ok(objects) = &result {
                let found = objects.ids();
                needs.extend(single.extract_if(.., |n| found.contains(value(n).as_str())));
            }
            self.tell(needs, started, result);
        }
        if !single.is_empty() {
            self.chunked(single_call, single).await;
        }
    }
}
