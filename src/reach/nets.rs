//! Sets of addresses, as lists of CIDRs.

use ipnet::IpNet;

/// Whether both are of one IP version.
pub(super) fn alike(a: &IpNet, b: &IpNet) -> bool {
    a.addr().is_ipv4() == b.addr().is_ipv4()
}

/// What two CIDRs have in common: one always lies in the other, or they are apart.
pub(super) fn common(a: &IpNet, b: &IpNet) -> Option<IpNet> {
    if a.contains(b) {
        Some(*b)
    } else if b.contains(a) {
        Some(*a)
    } else {
        None
    }
}

/// What of `nets` lies in none of `covers`.
pub(super) fn uncovered<'n>(nets: &[IpNet], covers: impl Iterator<Item = &'n IpNet> + Clone) -> Vec<IpNet> {
    let mut left = Vec::new();
    for net in nets {
        without(*net, covers.clone(), &mut left);
    }
    left
}

fn without<'n>(net: IpNet, covers: impl Iterator<Item = &'n IpNet> + Clone, left: &mut Vec<IpNet>) {
    let mut overlap = false;
    for cover in covers.clone() {
        if cover.contains(&net) {
            return;
        }
        overlap |= net.contains(cover);
    }
    if !overlap {
        left.push(net);
        return;
    }
    // A cover lies strictly inside: look at both halves.
    for half in halves(net) {
        without(half, covers.clone(), left);
    }
}

/// Both halves of a CIDR; nothing for a single address.
pub(super) fn halves(net: IpNet) -> impl Iterator<Item = IpNet> {
    net.subnets(net.prefix_len() + 1).into_iter().flatten()
}

/// Whether the internet knows no way to these addresses.
pub(super) fn is_private(net: &IpNet) -> bool {
    match net {
        IpNet::V4(n) => {
            let [a, b, ..] = n.addr().octets();
            a == 10
                || (a == 172 && (16..32).contains(&b))
                || (a == 192 && b == 168)
                || (a == 100 && (64..128).contains(&b))
                || (a == 169 && b == 254)
        }
        IpNet::V6(n) => (n.addr().segments()[0] & 0xfe00) == 0xfc00 || (n.addr().segments()[0] & 0xffc0) == 0xfe80,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn what_is_left_is_exact() {
        let left = |of: &[&str], by: &[&str]| uncovered(&nets(of), nets(by).iter());
        assert_eq!(left(&["10.0.0.0/24"], &["10.0.0.0/16"]), nets(&[]));
        assert_eq!(left(&["10.0.0.0/24"], &["10.0.0.0/25"]), nets(&["10.0.0.128/25"]));
        assert_eq!(left(&["10.0.0.0/30"], &["10.0.0.2/32", "10.0.0.0/32"]), nets(&["10.0.0.1/32", "10.0.0.3/32"]));
        assert_eq!(left(&["10.0.0.0/24"], &["10.0.0.128/25", "10.0.0.0/25"]), nets(&[]));
        assert_eq!(left(&["2001:db8::/64"], &["0.0.0.0/0"]), nets(&["2001:db8::/64"]));
    }

    #[test]
    fn private_addresses_are_known() {
        for (text, private) in [("10.1.2.3/32", true), ("172.32.0.1/32", false), ("100.64.0.1/32", true), ("8.8.8.8/32", false)] {
            assert_eq!(is_private(&text.parse().unwrap()), private, "{text}");
        }
        assert!(is_private(&"fd00::1/128".parse().unwrap()));
        assert!(!is_private(&"2001:db8::1/128".parse().unwrap()));
    }
}
