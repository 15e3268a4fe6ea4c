//! AWS services that the replication itself must reach: gateway endpoints, and the way from the replication to an endpoint
//! (domain.md 2).

use super::{Deriver, Location, Replication, ReplicationKind, endpoint::HTTPS};
use crate::{
    api::{
        conditions::Reason,
        network::{VpcEndpoint as Spec, VpcEndpointType},
    },
    model::{
        Direction, Need, Peer, Policy, RouteTable, RouteTableId, RuleShape, ServiceDetail, VpcEndpoint, VpcId,
        endpoint::gateway_service_name, engine::services_needed, shared,
    },
    plan::{
        key::{EndpointKey, EndpointRef, GroupRef},
        sorted::Sorted,
        wanted::{Purpose, Share, WantedRule},
    },
};

/// Services that a replication calls itself, since DMS 3.4.7. The others, such as `dms`, serve those who steer it.
const CALLED_BY_DMS: [&str; 5] = ["s3", "dynamodb", "kinesis-streams", "secretsmanager", "redshift"];

/// Whether a replication itself calls the service of this full or short name.
pub(super) fn is_called_by_dms(service: &str) -> bool {
    let short = service.rsplit('.').next().unwrap_or(service);
    CALLED_BY_DMS.contains(&short.strip_suffix("-fips").unwrap_or(short))
}

/// Services that the replication must reach for a database: since DMS 3.4.7 from its own network, before by a way of DMS's own;
/// with Serverless always (domain.md 2).
pub fn services_called(replication: &Replication, location: &Location) -> Vec<&'static str> {
    let own_way = replication.kind == ReplicationKind::Instance && replication.version.as_deref().is_some_and(is_before_3_4_7);
    if own_way { vec![] } else { services_needed(&location.engine, location.secret.is_some()) }
}

/// What cannot be read is taken for a newer one.
fn is_before_3_4_7(version: &str) -> bool {
    let numbers: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
    numbers.is_some_and(|n| n < vec![3, 4, 7])
}

impl Deriver<'_, '_, '_> {
    /// A gateway endpoint: a route to the service's prefix list in each of the tables.
    pub(super) fn gateway_share(&mut self, replication: &Replication, spec: &Spec, resource: &str) -> Option<Share> {
        let service_name = gateway_service_name(self.home.region, &spec.service);
        let vpc = spec.vpc_id.as_ref().map_or_else(|| replication.vpc.clone(), VpcId::from);
        if !matches!(spec.service.as_str(), "s3" | "dynamodb") {
            self.problem(Reason::InvalidSpec, resource, format!("{} has no gateway endpoints: set type to Interface", spec.service));
            return None;
        }
        let foreign = [!spec.subnet_ids.is_empty(), !spec.security_group_ids.is_empty(), !spec.allow_from.is_empty()];
        if foreign.contains(&true) || spec.private_dns.is_some() || spec.ip_address_type.is_some() {
            let message = "a gateway endpoint has routes instead of network interfaces: it takes only routeTableIds and policy";
            self.problem(Reason::InvalidSpec, resource, message);
            return None;
        }
        let policy = self.policy(spec, resource)?;
        let share = |endpoint, route_tables, policy| Share {
            endpoint,
            name: shared(&spec.name),
            vpc: vpc.clone(),
            service_name: shared(&service_name),
            kind: VpcEndpointType::Gateway,
            route_tables,
            subnets: Sorted::default(),
            groups: Sorted::default(),
            private_dns: None,
            policy,
            ip_address_type: None,
        };
        if let Some(id) = &spec.vpc_endpoint_id {
            let answer = self.home.facts.endpoint(&id.into(), Some(&vpc));
            let existing = self.found(answer, resource, &format!("VPC endpoint {id}"))?;
            self.fits(existing, &vpc, &service_name, VpcEndpointType::Gateway, resource)?;
            let named =
                if spec.route_table_ids.is_empty() { Sorted::default() } else { self.route_tables(replication, spec, &vpc, resource)? };
            return Some(share(EndpointRef::TakenOver(id.into()), named, policy));
        }
        let answer = self.home.facts.service(&service_name);
        let service = self.found(answer, resource, &format!("endpoint service {service_name}"))?;
        self.offers(service, VpcEndpointType::Gateway, resource)?;
        let tables = self.route_tables(replication, spec, &vpc, resource)?;
        let key = EndpointKey { vpc: vpc.clone(), service: shared(&spec.service), kind: VpcEndpointType::Gateway };
        Some(share(EndpointRef::Made(key), tables, Some(policy.unwrap_or_else(Policy::full_access))))
    }

    /// The tables that are named, else those of the replication subnets: it may live in any of them.
    fn route_tables(&mut self, replication: &Replication, spec: &Spec, vpc: &VpcId, resource: &str) -> Option<Sorted<RouteTableId>> {
        let all = self.home.facts.route_tables_of(vpc);
        let answer = self.home.facts.picture().answer(&Need::RouteTablesOf(vpc.clone()), (!all.is_empty()).then_some(&all));
        self.found(answer, resource, &format!("a route table of {vpc}"))?;
        if !spec.route_table_ids.is_empty() {
            let unknown = spec.route_table_ids.iter().find(|id| !all.iter().any(|t| t.id.as_str() == id.as_str()));
            if let Some(id) = unknown {
                let message = format!("route table {id} does not exist in {vpc}: name tables of that VPC");
                self.problem(Reason::ReferenceNotFound, resource, message);
                return None;
            }
            return Some(spec.route_table_ids.iter().map(Into::into).collect());
        }
        if *vpc != replication.vpc {
            let message = format!("{resource} is for {vpc}, where the replication has no subnets: name routeTableIds");
            self.problem(Reason::InvalidSpec, resource, message);
            return None;
        }
        let table_of = |subnet| -> Option<&RouteTable> { self.home.facts.picture().route_table_of(subnet, vpc).map(|t| &**t) };
        Some(replication.subnets.iter().filter_map(table_of).map(|t| t.id.clone()).collect())
    }

    /// The replication's own way to a service that it calls: 443 to the prefix list behind a gateway endpoint; else to the group
    /// of the endpoint's interfaces, or, where we make that group, to the VPC: then the rule can be there before the group.
    pub(super) fn way_to_service(
        &mut self,
        replication: &Replication,
        spec: &Spec,
        share: &Share,
        resource: &str,
    ) -> Option<Vec<WantedRule>> {
        if share.vpc != replication.vpc || !is_called_by_dms(&spec.service) {
            return None;
        }
        let peers = match (share.kind, &share.endpoint, share.groups.first()) {
            (VpcEndpointType::Gateway, ..) => {
                let answer = self.home.facts.prefix_list_named(&share.service_name);
                vec![Peer::PrefixList(self.found(answer, resource, &format!("prefix list {}", share.service_name))?.id.clone())]
            }
            (_, _, Some(group)) => vec![Peer::SecurityGroup(group.clone())],
            (_, EndpointRef::TakenOver(id), None) => {
                let answer = self.home.facts.endpoint(id, Some(&share.vpc));
                let existing = self.found(answer, resource, &format!("VPC endpoint {id}"))?;
                vec![Peer::SecurityGroup(existing.groups.first()?.clone())]
            }
            (_, EndpointRef::Made(_), None) => self.vpc_cidrs(self.home, &share.vpc, resource)?.into_iter().map(Peer::Cidr).collect(),
        };
        let why = format!("{} endpoint {}", self.label, spec.name);
        let rule = |peer| WantedRule {
            group: GroupRef::Id(replication.group.clone()),
            shape: RuleShape::tcp(Direction::Out, HTTPS, peer),
            why: why.clone(),
            purpose: Purpose::Endpoint,
        };
        Some(peers.into_iter().map(rule).collect())
    }

    /// Checks that an endpoint that is to be taken over is what the spec says.
    pub(super) fn fits(
        &mut self,
        existing: &VpcEndpoint,
        vpc: &VpcId,
        service_name: &str,
        kind: VpcEndpointType,
        resource: &str,
    ) -> Option<()> {
        if existing.vpc == *vpc && existing.service_name == service_name && existing.is_of(kind) {
            return Some(());
        }
        let message = format!(
            "VPC endpoint {} is of type {} for {} in {}, not {kind} for {service_name} in {vpc}: correct type, service, vpcId or vpcEndpointId",
            existing.id, existing.endpoint_type, existing.service_name, existing.vpc
        );
        self.problem(Reason::InvalidSpec, resource, message);
        None
    }

    /// Checks that a service offers endpoints of a kind.
    pub(super) fn offers(&mut self, service: &ServiceDetail, kind: VpcEndpointType, resource: &str) -> Option<()> {
        if service.types.is_empty() || service.types.iter().any(|t| t.eq_ignore_ascii_case(kind.into())) {
            return Some(());
        }
        self.not_offered(
            service,
            resource,
            format!("{} offers no endpoints of type {kind}, only {}", service.name, service.types.join(", ")),
        );
        None
    }

    /// What the service offers stands in the way: it is looked at every interval, though it hardly ever changes.
    pub(super) fn not_offered(&mut self, service: &ServiceDetail, resource: &str, message: String) {
        self.home.facts.keep_fresh(Need::Service(service.name.as_str().into()));
        self.problem(Reason::InvalidSpec, resource, message);
    }
}
