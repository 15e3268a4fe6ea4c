//! Which route a packet takes: the longest prefix, and AWS's rules where two are alike (domain.md 1.8).

use ipnet::IpNet;

use super::{
    atlas::{Atlas, Gap},
    nets::{alike, halves, is_private},
};
use crate::model::{Destination, Route, RouteOrigin, RouteState, RouteTable, Target};

/// What a table says about some addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// This route wins.
    Route(&'a Route),
    /// None matches.
    None,
    /// Two prefix lists match equally well and lead to different targets: AWS picks one, and does not say which.
    Ambiguous(&'a Route, &'a Route),
    /// A prefix list that may match was not read.
    Gap(Gap),
}

/// A route by one of its CIDRs.
struct Candidate<'a> {
    net: IpNet,
    /// Among equal prefixes the highest wins: a static CIDR, a prefix list, a propagated route.
    rank: u8,
    route: &'a Route,
}

/// Splits `nets` by what the table says about them, in the order in which the parts appear.
pub(super) fn choose<'a>(atlas: &Atlas<'a>, table: &'a RouteTable, nets: &[IpNet]) -> Vec<(Choice<'a>, Vec<IpNet>)> {
    let (candidates, gap) = candidates(atlas, table, nets);
    let mut parts: Vec<(Choice<'a>, Vec<IpNet>)> = Vec::new();
    for net in nets {
        split(&candidates, gap.as_ref(), *net, &mut |choice, piece| match parts.iter_mut().find(|(c, _)| *c == choice) {
            Some((_, pieces)) => pieces.push(piece),
            None => parts.push((choice, vec![piece])),
        });
    }
    parts
}

fn candidates<'a>(atlas: &Atlas<'a>, table: &'a RouteTable, nets: &[IpNet]) -> (Vec<Candidate<'a>>, Option<Gap>) {
    let (mut found, mut gap) = (Vec::new(), None);
    let relevant = |c: &IpNet| nets.iter().any(|n| n.contains(c) || c.contains(n));
    // AWS has taken a filtered route out of use.
    for route in table.routes.iter().filter(|r| r.state != RouteState::Filtered) {
        match &route.destination {
            Destination::Cidr(net) if relevant(net) => {
                let rank = if route.origin == RouteOrigin::Propagated { 0 } else { 2 };
                found.push(Candidate { net: *net, rank, route });
            }
            Destination::Cidr(_) => {}
            // The lists of gateway endpoints hold public addresses only: private ones need no look at them.
            Destination::PrefixList(_) if matches!(route.target, Target::VpcEndpoint(_)) && nets.iter().all(is_private) => {}
            Destination::PrefixList(id) => match atlas.prefix_list(id) {
                Ok(list) => {
                    let cidrs = list.iter().flat_map(|l| &l.cidrs).filter(|c| relevant(c));
                    found.extend(cidrs.map(|net| Candidate { net: *net, rank: 1, route }));
                }
                Err(unread) => gap = Some(unread),
            },
        }
    }
    (found, gap)
}

fn split<'a>(candidates: &[Candidate<'a>], gap: Option<&Gap>, net: IpNet, take: &mut impl FnMut(Choice<'a>, IpNet)) {
    let mine = |c: &&Candidate<'a>| alike(&c.net, &net);
    if candidates.iter().filter(mine).any(|c| c.net.prefix_len() > net.prefix_len() && net.contains(&c.net)) {
        for half in halves(net) {
            split(candidates, gap, half, take);
        }
        return;
    }
    let matching = candidates.iter().filter(mine).filter(|c| c.net.contains(&net));
    let Some(best) = matching.clone().max_by_key(|c| (c.net.prefix_len(), c.rank)) else {
        return take(gap.map_or(Choice::None, |g| Choice::Gap(g.clone())), net);
    };
    // What was not read may be longer; nothing is longer than a whole address.
    if let Some(gap) = gap.filter(|_| best.net.prefix_len() < best.net.max_prefix_len() || best.rank == 0) {
        return take(Choice::Gap(gap.clone()), net);
    }
    let twin = matching.clone().find(|c| (c.net, c.rank) == (best.net, best.rank) && c.route.target != best.route.target);
    take(twin.map_or(Choice::Route(best.route), |t| Choice::Ambiguous(best.route, t.route)), net);
}
