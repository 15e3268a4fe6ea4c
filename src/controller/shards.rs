//! Which shard serves which class. Values in, a decision out.
//!
//! `status.shard` names it. A shard takes a class that it selects once the class is clear, or the Lease of the shard that had it has
//! expired. All classes of one account and Region belong to one shard: what networks share there is settled in one process.

use std::collections::BTreeSet;

use kube::ResourceExt;

use crate::api::DmsNetworkClass;

/// A class, as far as shards are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View<'a> {
    /// Its name.
    pub name: &'a str,
    /// The shard that serves it, if any.
    pub shard: Option<&'a str>,
    /// `endpointUrl`.
    pub endpoint_url: Option<&'a str>,
    /// Region.
    pub region: &'a str,
    /// Account, where AWS has told it.
    pub account: Option<&'a str>,
}

impl<'a> View<'a> {
    /// Of a class as it is.
    pub fn of(class: &'a DmsNetworkClass) -> Self {
        let status = class.status.as_ref();
        Self {
            name: class.metadata.name.as_deref().unwrap_or_default(),
            shard: shard(class),
            endpoint_url: class.spec.endpoint_url.as_deref(),
            region: &class.spec.region,
            account: status.and_then(|s| s.account_id.as_deref()),
        }
    }

    /// Whether both stand for the same account and Region, as far as is known.
    pub fn same_place(&self, other: &View<'_>) -> bool {
        let known = self.account.is_some() && self.account == other.account;
        known && (self.endpoint_url, self.region) == (other.endpoint_url, other.region)
    }
}

/// The shard that a class's status names.
pub fn shard(class: &DmsNetworkClass) -> Option<&str> {
    class.status.as_ref().and_then(|s| s.shard.as_deref()).filter(|s| !s.is_empty())
}

/// What a shard does about a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// It serves it, or takes it.
    Serve,
    /// Another shard serves it: wait until it lets go, or its Lease has expired.
    Wait {
        /// That shard.
        shard: &'a str,
    },
    /// Another shard serves a class of the same account and Region.
    Conflict {
        /// That class.
        class: &'a str,
        /// That shard.
        shard: &'a str,
    },
    /// It served it, and does not select it any more.
    LetGo,
    /// None of its business.
    Foreign,
}

/// Decides. `at_work` are shards whose Lease may be held; `settled` says that we serve it already, so that whoever came later yields.
pub fn standing<'a>(
    class: &View<'a>,
    others: &[View<'a>],
    me: &str,
    selected: bool,
    settled: bool,
    at_work: &BTreeSet<String>,
) -> Standing<'a> {
    let of_another = |shard: Option<&'a str>| shard.filter(|s| *s != me && at_work.contains(*s));
    match (selected, class.shard) {
        (false, Some(shard)) if shard == me => return Standing::LetGo,
        (false, _) => return Standing::Foreign,
        (true, shard) => {
            if let Some(shard) = of_another(shard) {
                return Standing::Wait { shard };
            }
        }
    }
    if settled && class.shard == Some(me) {
        return Standing::Serve;
    }
    let rival = others.iter().filter(|o| o.name != class.name && o.same_place(class)).find_map(|o| Some((o.name, of_another(o.shard)?)));
    rival.map_or(Standing::Serve, |(class, shard)| Standing::Conflict { class, shard })
}

/// Other shards on whose Lease the decision depends.
pub fn rivals(class: &View<'_>, others: &[View<'_>], me: &str) -> BTreeSet<String> {
    let concerns = |o: &&View<'_>| o.name == class.name || o.same_place(class);
    let shards = others.iter().chain([class]).filter(concerns).filter_map(|o| o.shard).filter(|s| *s != me);
    shards.map(str::to_owned).collect()
}

/// Views of all these, but the one of that name.
pub fn views<'a>(classes: impl IntoIterator<Item = &'a DmsNetworkClass>, but: &str) -> Vec<View<'a>> {
    classes.into_iter().filter(|c| c.name_any() != but).map(View::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Option<&str> = Some("111122223333");

    fn class<'a>(name: &'a str, shard: Option<&'a str>, account: Option<&'a str>) -> View<'a> {
        View { name, shard, endpoint_url: None, region: "us-west-2", account }
    }

    fn alive(shards: &[&str]) -> BTreeSet<String> {
        shards.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn a_class_goes_from_hand_to_hand() {
        let decide = |shard, selected, at_work: &[&str]| standing(&class("c", shard, ACCOUNT), &[], "a", selected, false, &alive(at_work));
        assert_eq!(decide(None, true, &[]), Standing::Serve, "a clear one is taken");
        assert_eq!(decide(Some("a"), true, &[]), Standing::Serve);
        assert_eq!(decide(Some("b"), true, &["b"]), Standing::Wait { shard: "b" }, "until it lets go");
        assert_eq!(decide(Some("b"), true, &[]), Standing::Serve, "its Lease has expired");
        assert_eq!(decide(Some("a"), false, &[]), Standing::LetGo, "the label was changed");
        assert_eq!(decide(Some("b"), false, &["b"]), Standing::Foreign);
        assert_eq!(decide(None, false, &[]), Standing::Foreign);
    }

    #[test]
    fn one_account_and_region_belongs_to_one_shard() {
        let of_b = class("theirs", Some("b"), ACCOUNT);
        let decide = |mine: View<'static>, settled, at_work: &[&str]| {
            let others = [View { name: "theirs", shard: Some("b"), ..of_b }];
            match standing(&mine, &others, "a", true, settled, &alive(at_work)) {
                Standing::Conflict { class, shard } => format!("{class} of {shard}"),
                other => format!("{other:?}"),
            }
        };
        let mine = class("mine", Some("a"), ACCOUNT);
        assert_eq!(decide(View { shard: None, ..mine }, false, &["b"]), "theirs of b");
        assert_eq!(decide(mine, false, &["b"]), "theirs of b", "of two that come at once, both step back");
        assert_eq!(decide(mine, true, &["b"]), "Serve", "who was there first stays");
        assert_eq!(decide(mine, false, &[]), "Serve", "a shard that is gone is in nobody's way");
        for elsewhere in [
            View { account: Some("444455556666"), ..mine },
            View { account: None, ..mine },
            View { region: "eu-west-1", ..mine },
            View { endpoint_url: Some("http://127.0.0.1:5000"), ..mine },
        ] {
            assert_eq!(decide(elsewhere, false, &["b"]), "Serve", "{elsewhere:?}");
        }
    }

    #[test]
    fn only_leases_that_matter_are_looked_at() {
        let classes = [
            class("x", Some("b"), ACCOUNT),
            class("y", Some("c"), Some("444455556666")),
            class("z", Some("a"), ACCOUNT),
            class("w", None, ACCOUNT),
        ];
        assert_eq!(rivals(&class("mine", None, ACCOUNT), &classes, "a"), alive(&["b"]));
        assert_eq!(rivals(&class("mine", Some("d"), None), &classes, "a"), alive(&["d"]));
    }
}
