//! Routes and ACL entries have no tags. A tag on their table or ACL records which of them are whose (design.md 2). AWS takes
//! 50 tags on an object, and in a tag's key letters, digits, spaces and `_ . : / = + - @`: CIDRs fit.

use crate::{
    api::names::{TAG_ENTRY_PREFIX, TAG_ROUTE_PREFIX},
    model::{Destination, Direction, Owner, RouteTable, Tags},
};

/// The most tags on one object; AWS's own (`aws:…`) do not count.
pub const TAGS_MAX: usize = 50;

/// Key of the tag that records an entry: `dmsnet.dev/entry/in-20003`.
pub fn entry_tag(direction: Direction, number: u16) -> String {
    format!("{TAG_ENTRY_PREFIX}{}", entry_id(direction, number))
}

/// Key of the tag that records a route: `dmsnet.dev/route/10.1.0.0/16`.
pub fn route_tag(destination: &Destination) -> String {
    format!("{TAG_ROUTE_PREFIX}{destination}")
}

/// How the ledger names an entry within its ACL: `in-20003`.
pub fn entry_id(direction: Direction, number: u16) -> String {
    format!("{direction}-{number}")
}

/// How the ledger names a route: `rtb-…/10.1.0.0/16`.
pub fn route_id(table: &RouteTable, destination: &Destination) -> String {
    format!("{}/{destination}", table.id)
}

/// Reads an entry's name back.
pub fn number(id: &str) -> Option<(Direction, u16)> {
    let (direction, number) = id.split_once('-')?;
    let direction = match direction {
        "in" => Direction::In,
        "out" => Direction::Out,
        _ => return None,
    };
    Some((direction, number.parse().ok()?))
}

/// Whose an entry is, if that is recorded.
pub fn entry_owner(tags: &Tags, direction: Direction, number: u16) -> Option<&str> {
    tags.get(&entry_tag(direction, number)).map(String::as_str)
}

/// Whether an entry is recorded as this owner's.
pub fn is_entry_of(tags: &Tags, direction: Direction, number: u16, owner: &Owner) -> bool {
    entry_owner(tags, direction, number) == Some(owner.as_str())
}

/// Whether a route is recorded as this owner's.
pub fn is_route_of(tags: &Tags, destination: &Destination, owner: &Owner) -> bool {
    tags.get(&route_tag(destination)).is_some_and(|o| o == owner.as_str())
}

/// Every entry that is recorded as this owner's, whether it is there or not.
pub fn entries_of<'t>(tags: &'t Tags, owner: &'t Owner) -> impl Iterator<Item = (Direction, u16)> + 't {
    let ours = tags.iter().filter(move |(_, o)| *o == owner.as_str());
    ours.filter_map(|(key, _)| number(key.strip_prefix(TAG_ENTRY_PREFIX)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back_and_are_tag_keys() {
        let me = Owner::parse("east").unwrap();
        let tags = Tags::from([
            (entry_tag(Direction::In, 20_003), "east".to_owned()),
            (entry_tag(Direction::Out, 7), "west".to_owned()),
            ("dmsnet.dev/entry/sideways-1".to_owned(), "east".to_owned()),
        ]);
        assert_eq!(entries_of(&tags, &me).collect::<Vec<_>>(), [(Direction::In, 20_003)]);
        assert_eq!(entry_owner(&tags, Direction::Out, 7), Some("west"));
        let longest = route_tag(&Destination::Cidr("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128".parse().unwrap()));
        assert!(longest.len() <= 128 && longest.chars().all(|c| c.is_ascii_alphanumeric() || "_.:/=+-@".contains(c)), "{longest}");
    }
}
