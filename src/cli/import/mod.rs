//! `import`: what exists, as a DmsNetwork and its class. The planner itself chooses among the settings that would describe
//! it: the ones that leave the least to change.

mod draft;
mod found;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ipnet::IpNet;
use tokio::sync::mpsc;

use super::{args::ImportArgs, diff::one_line, files, session::Session};
use crate::{
    api::status::ResourceKind,
    aws::{Scope, Store, Stores, inventory},
    model::{Destination, Lookup, Need, Peer, Picture, RuleShape, Target},
    plan::{EndpointRef, GroupRef, Key},
};
use draft::{Draft, Rails, Upkeep};
use found::{Found, Place, label};

/// Ways in which a database's group may admit the replication: the default first.
const INGRESS: [Option<&str>; 5] = [None, Some("SecurityGroup"), Some("SubnetCidrs"), Some("VpcCidr"), Some("PrivateIp")];

/// So many rule numbers of network ACLs are set aside at least.
const SPARE_NUMBERS: u32 = 99;

/// Writes what describes a replication that exists.
///
/// # Errors
/// Where there is no such replication, or AWS does not answer.
pub async fn import(args: &ImportArgs) -> Result<String, String> {
    let scope = Scope { endpoint_url: args.endpoint_url.clone(), region: args.region.clone(), role: None };
    let (wakes, _) = mpsc::unbounded_channel();
    let stores = Stores::new(Arc::new(()), wakes);
    let store = stores.get(&scope).await;
    let account = store.account().await.map_err(|e| format!("{scope}: {e} (check --region, --endpoint-url and credentials)"))?;
    let (place, arns) = match (&args.instance, &args.serverless) {
        (Some(id), _) => instance(&store, id).await?,
        (None, Some(id)) => serverless(&store, id).await?,
        (None, None) => return Err("name --instance or --serverless".to_owned()),
    };
    let mut draft = Draft {
        class: args.class_name.clone().unwrap_or_else(|| label(&args.region)),
        region: args.region.clone(),
        endpoint_url: args.endpoint_url.clone(),
        name: args.name.clone().unwrap_or_else(|| label(&place.id)),
        namespace: args.namespace.clone(),
        replication: (place.kind, place.id.clone()),
        ..Draft::default()
    };
    let ends = store.endpoints_by_arn(&arns).await.map_err(|e| e.to_string())?;
    let rds = store.all_databases().await.map_err(|e| e.to_string())?;
    read_around(&store, &place, &ends, &rds).await;
    store.with(|picture| {
        let owner = &args.owner;
        Found { place: &place, ends: &ends, rds: &rds, picture, owner, take_over: args.take_over }.draft(&mut draft);
    });
    let refine = Refine { stores: &stores, args };
    refine.groups(&mut draft, &place).await?;
    refine.endpoints(&mut draft).await?;
    refine.upkeep(&mut draft).await?;
    refine.far_groups(&mut draft).await?;
    draft.guardrails = Some(refine.rails(&draft, &place).await?);
    draft.head.push(format!("Written by dmsnet import from account {account}, {scope}."));
    refine.tell(&mut draft).await?;
    Ok(draft.yaml())
}

async fn instance(store: &Store, id: &str) -> Result<(Place, Vec<String>), String> {
    let id: Arc<str> = id.to_ascii_lowercase().into();
    let need = Need::ReplicationInstance(id.clone());
    store.ensure(&BTreeSet::from([need.clone()]), None).await;
    let found = store.with(|p| found(p.answer(&need, p.instances.get(&id).map(|i| &**i)), &need))?;
    let mut arns = store.endpoints_of_tasks(&found.arn).await.map_err(|e| e.to_string())?;
    let need = Need::ConnectionsOf(found.arn.as_str().into());
    store.ensure(&BTreeSet::from([need]), None).await;
    arns.extend(store.with(|p| p.connections.get(&*found.arn).map_or_else(Vec::new, |l| l.iter().map(|c| c.endpoint.clone()).collect())));
    let public = found.publicly_accessible.unwrap_or(!found.public_ips.is_empty());
    Ok((
        Place { kind: "instance", id: found.identifier, vpc: found.vpc, subnets: found.subnets, groups: found.groups, public },
        distinct(arns),
    ))
}

async fn serverless(store: &Store, id: &str) -> Result<(Place, Vec<String>), String> {
    let id: Arc<str> = id.to_ascii_lowercase().into();
    let need = Need::ReplicationConfig(id.clone());
    store.ensure(&BTreeSet::from([need.clone()]), None).await;
    let config = store.with(|p| found(p.answer(&need, p.configs.get(&id).map(|i| &**i)), &need))?;
    let name: Arc<str> = config.subnet_group.as_str().into();
    let need = Need::SubnetGroup(name.clone());
    store.ensure(&BTreeSet::from([need.clone()]), None).await;
    let subnets = store.with(|p| found(p.answer(&need, p.subnet_groups.get(&name).map(|i| &**i)), &need))?;
    Ok((
        Place {
            kind: "serverless",
            id: config.identifier,
            vpc: subnets.vpc,
            subnets: subnets.subnets,
            groups: config.groups,
            public: false,
        },
        distinct(config.endpoints),
    ))
}

fn found<T: Clone>(answer: Lookup<'_, T>, need: &Need) -> Result<T, String> {
    match answer {
        Lookup::Found(t) => Ok(t.clone()),
        Lookup::Unreadable(failure) => Err(format!("{need} could not be read: {}", failure.message)),
        Lookup::Absent | Lookup::Unread => Err(format!("{need} does not exist: check its spelling, the account and the Region")),
    }
}

fn distinct(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all.dedup();
    all
}

/// What a draft is made from, and its settings are chosen by.
async fn read_around(store: &Store, place: &Place, ends: &[inventory::EndpointEnd], rds: &[inventory::RdsEnd]) {
    let vpc = || place.vpc.clone();
    let mut needs = BTreeSet::from([
        Need::Vpc(vpc()),
        Need::SubnetsOf(vpc()),
        Need::GroupsOf(vpc()),
        Need::EndpointsOf(vpc()),
        Need::PeeringConnectionsOf(vpc()),
        Need::RouteTablesOf(vpc()),
    ]);
    needs.extend(place.groups.iter().map(|g| Need::RulesOf(g.clone())));
    let hosts = ends.iter().flat_map(|e| e.endpoint.host.iter().chain(e.endpoint.more_hosts.iter().map(|(h, _)| h)));
    needs.extend(hosts.filter(|h| h.parse::<std::net::IpAddr>().is_err()).map(|h| Need::Host(h.as_str().into())));
    let groups = rds.iter().filter(|r| r.database.vpc.is_none()).flat_map(|r| &r.database.groups);
    needs.extend(groups.map(|g| Need::Group(g.clone())));
    store.ensure_all(&needs, None).await;
    let used: BTreeSet<Need> = store.with(|p| {
        let of_vpc = p.endpoints.values().filter(|e| e.vpc == place.vpc);
        let rules = of_vpc.flat_map(|e| &e.groups).map(|g| Need::RulesOf(g.clone()));
        let routes = p.route_tables.values().filter(|t| t.subnets.iter().any(|s| place.subnets.contains(s))).flat_map(|t| &t.routes);
        let hosts = routes.filter_map(|r| match &r.target {
            Target::NetworkInterface(Some(id)) => Some(Need::Interface(id.clone())),
            _ => None,
        });
        rules.chain(hosts).collect()
    });
    store.ensure(&used, None).await;
}

/// How much a draft leaves to do: problems weigh more.
type Score = (usize, usize);

/// Lets the planner judge drafts.
struct Refine<'a> {
    stores: &'a Stores,
    args: &'a ImportArgs,
}

impl Refine<'_> {
    async fn session(&self, draft: &Draft) -> Result<Session, String> {
        let files = files::parse([("the draft", draft.yaml().as_str())]).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            format!("what was found cannot be written as a DmsNetwork: {}", errors.join("; "))
        })?;
        Session::on(files, &self.args.owner, self.stores).await
    }

    async fn score(&self, draft: &Draft) -> Result<Score, String> {
        let report = self.session(draft).await?.plan(false).await;
        Ok((report.networks.iter().map(|n| n.problems.len()).sum(), report.networks.iter().map(|n| n.changes.len()).sum()))
    }

    /// Chooses the replication's group and each database's, and how that admits the replication.
    async fn groups(&self, draft: &mut Draft, place: &Place) -> Result<(), String> {
        if draft.databases.iter().all(|d| d.comment) {
            return Ok(());
        }
        let mut choices: Vec<Option<String>> = place.groups.iter().map(|g| Some(g.to_string())).collect();
        if choices.len() == 1 {
            choices = vec![None];
        }
        let mut best: Option<(Score, Draft)> = None;
        for group in choices {
            let mut tried = Draft { group, ..draft.clone() };
            let mut sum = (0, 0);
            for i in 0..tried.databases.len() {
                let score = self.database(&mut tried, i).await?;
                sum = (sum.0 + score.0, sum.1 + score.1);
            }
            if best.as_ref().is_none_or(|(score, _)| sum < *score) {
                best = Some((sum, tried));
            }
        }
        if let Some((_, chosen)) = best {
            *draft = chosen;
        }
        Ok(())
    }

    async fn database(&self, draft: &mut Draft, at: usize) -> Result<Score, String> {
        let database = draft.databases[at].clone();
        if database.comment {
            return Ok((0, 0));
        }
        let mut choices = Vec::new();
        for group in database.groups.iter().map(Some) {
            choices.extend(INGRESS.map(|ingress| (group.cloned(), ingress)));
        }
        if !database.place.starts_with("rds:") {
            choices.push((None, None));
        }
        let mut best: Option<(Score, draft::Database)> = None;
        for (group, ingress_from) in choices {
            let tried = draft::Database { group, ingress_from, ..database.clone() };
            let alone = Draft { databases: vec![tried.clone()], endpoints: vec![], ..draft.clone() };
            let score = self.score(&alone).await?;
            if best.as_ref().is_none_or(|(s, _)| score < *s) {
                best = Some((score, tried));
            }
            if score == (0, 0) {
                break;
            }
        }
        let Some((score, mut chosen)) = best else { return Ok((0, 0)) };
        // RDS tells its only group by itself.
        if chosen.place.starts_with("rds:") && chosen.groups.len() == 1 {
            chosen.group = None;
        }
        if chosen.group.is_none() && !chosen.place.starts_with("rds:") && !chosen.groups.is_empty() {
            let groups = chosen.groups.join(" or ");
            chosen.notes.push(format!(
                "Its group is {groups}; no rule there admits the replication alone. To have dmsnet open it, name it as securityGroupId."
            ));
        }
        draft.databases[at] = chosen;
        Ok(score)
    }

    /// Leaves out what is as the defaults have it.
    async fn endpoints(&self, draft: &mut Draft) -> Result<(), String> {
        if draft.databases.iter().all(|d| d.comment) {
            return Ok(());
        }
        for at in 0..draft.endpoints.len() {
            if draft.endpoints[at].comment {
                continue;
            }
            let alone = |endpoint: draft::Endpoint| Draft { endpoints: vec![endpoint], ..draft.clone() };
            let mut kept = draft.endpoints[at].clone();
            let full = self.score(&alone(kept.clone())).await?;
            for field in kept.fields.clone() {
                let mut less = kept.clone();
                less.fields.retain(|f| *f != field);
                if self.score(&alone(less.clone())).await? <= full {
                    kept = less;
                }
            }
            draft.endpoints[at] = kept;
        }
        Ok(())
    }

    /// Entries of ACLs and routes that are ours in AWS were managed: they are to stay.
    async fn upkeep(&self, draft: &mut Draft) -> Result<(), String> {
        let left = self.session(draft).await?.plan(false).await.unwanted;
        let numbers = left.iter().filter(|c| c.kind == ResourceKind::NetworkAclEntry).filter_map(|c| {
            let id = c.from.as_deref()?.rsplit_once('-')?.1;
            id.trim_end_matches(')').parse::<u32>().ok()
        });
        let numbers: BTreeSet<u32> = numbers.collect();
        let entries = numbers.first().zip(numbers.last()).map(|(from, to)| (*from, (*to).max(from + SPARE_NUMBERS).min(32_766)));
        let routes = left.iter().any(|c| c.kind == ResourceKind::Route);
        if entries.is_none() && !routes {
            return Ok(());
        }
        let mut tried = Draft { upkeep: Upkeep { entries, routes }, ..draft.clone() };
        // What stands before all of a database's subnets, not only before the one that its name resolves to today.
        for database in &mut tried.databases {
            database.subnet_ids.clone_from(&database.subnets);
        }
        if self.score(&tried).await?.0 <= self.score(draft).await?.0 {
            *draft = tried;
        }
        Ok(())
    }

    /// Groups with rules of ours that nothing in the draft wants may be those of databases far away.
    async fn far_groups(&self, draft: &mut Draft) -> Result<(), String> {
        for at in 0..draft.databases.len() {
            let database = &draft.databases[at];
            if database.comment || database.group.is_some() || database.place.starts_with("rds:") {
                continue;
            }
            let mut best = self.leftovers(draft).await?;
            for group in best.1.clone() {
                let mut tried = draft.clone();
                tried.databases[at].group = Some(group);
                let score = self.leftovers(&tried).await?;
                if (score.0, score.1.len()) < (best.0, best.1.len()) {
                    (*draft, best) = (tried, score);
                }
            }
        }
        Ok(())
    }

    /// What a draft leaves to do, and the groups with rules of ours that it does not want.
    async fn leftovers(&self, draft: &Draft) -> Result<(Score, BTreeSet<String>), String> {
        let report = self.session(draft).await?.plan(false).await;
        let score = (report.networks.iter().map(|n| n.problems.len()).sum(), report.networks.iter().map(|n| n.changes.len()).sum());
        let rules = report.unwanted.iter().filter(|c| c.kind == ResourceKind::SecurityGroupRule);
        let groups = rules.filter_map(|c| c.resource.strip_prefix("rule/")?.split('/').next()).filter(|id| id.starts_with("sg-"));
        Ok((score, groups.map(str::to_owned).collect()))
    }

    /// Guardrails that let through what the draft wants, and nothing else.
    async fn rails(&self, draft: &Draft, place: &Place) -> Result<Rails, String> {
        let mut session = self.session(draft).await?;
        session.plan(false).await;
        let wants = session.wants();
        let groups: BTreeSet<String> = wants
            .iter()
            .filter_map(|k| match k {
                Key::Rule(GroupRef::Id(group), _) => Some(group.to_string()),
                _ => None,
            })
            .collect();
        let shapes: Vec<&RuleShape> = wants.iter().filter_map(|k| if let Key::Rule(_, shape) = k { Some(shape) } else { None }).collect();
        let of_groups = wants.iter().filter_map(|k| if let Key::Rule(GroupRef::Id(_), shape) = k { Some(shape) } else { None });
        let ports: BTreeMap<(i32, i32), String> =
            of_groups.filter_map(|s| s.tcp_ports()).map(|p| ((p.from, p.to), p.to_string())).collect();
        let of_rules = shapes.iter().filter_map(|s| if let Peer::Cidr(net) = &s.peer { Some(*net) } else { None });
        let of_upkeep = wants.iter().filter_map(|k| match k {
            Key::AclEntry(_, shape) => Some(shape.cidr),
            Key::Route(_, Destination::Cidr(net)) => Some(*net),
            _ => None,
        });
        let cidrs = IpNet::aggregate(&of_rules.chain(of_upkeep).collect());
        let services: BTreeSet<String> = draft.endpoints.iter().filter(|e| !e.comment).map(|e| e.service.clone()).collect();
        let mut vpcs = BTreeSet::from([place.vpc.to_string()]);
        vpcs.extend(wants.iter().filter_map(|k| match k {
            Key::Endpoint(EndpointRef::Made(key)) => Some(key.vpc.to_string()),
            _ => None,
        }));
        let near = |p: &Picture| groups.iter().filter_map(|g| p.groups.get(g.as_str())).map(|g| g.vpc.to_string()).collect::<Vec<_>>();
        for store in self.stores.all().await {
            vpcs.extend(store.with(near));
        }
        Ok(Rails {
            vpcs: vpcs.into_iter().collect(),
            groups: groups.into_iter().collect(),
            cidrs: cidrs.iter().map(ToString::to_string).collect(),
            ports: ports.into_values().collect(),
            services: services.into_iter().collect(),
            take_over: draft.endpoints.iter().any(|e| !e.comment && e.id.is_some()),
        })
    }

    /// What planning it would change is said at the top.
    async fn tell(&self, draft: &mut Draft) -> Result<(), String> {
        let report = self.session(draft).await?.plan(false).await;
        let mut left = Vec::new();
        for network in &report.networks {
            left.extend(network.problems.iter().map(|p| format!("! {} {}: {}", p.reason, p.resource, p.message)));
            left.extend(network.changes.iter().map(|c| anstream::adapter::strip_str(&one_line(c)).to_string()));
        }
        if left.is_empty() {
            draft.head.push("It describes what is there: dmsnet plan finds nothing to change.".to_owned());
        } else {
            draft.observe = true;
            draft.head.push("It does not describe all that is there. What dmsnet plan says about it:".to_owned());
            draft.head.extend(left.into_iter().map(|line| format!("  {line}")));
        }
        Ok(())
    }
}
