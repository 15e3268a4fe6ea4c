//! Label selectors as kubectl writes them, matched here: a shard sees all classes, and must know which are its own.

use std::collections::BTreeSet;

use kube::core::{Expression, Selector};

/// Reads `shard=a,tier!=test,zone in (x, y),owner,!retired`.
///
/// # Errors
/// The part that cannot be read.
pub fn parse(text: &str) -> Result<Selector, String> {
    let mut selector = Selector::default();
    for part in parts(text)? {
        selector.extend([expression(part).ok_or_else(|| format!("{part:?} is no label selector, such as `shard=a` or `!shard`"))?]);
    }
    Ok(selector)
}

/// Splits at commas outside of parentheses.
fn parts(text: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut begin, mut inside) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '(' if !inside => inside = true,
            ')' if inside => inside = false,
            '(' | ')' => return Err(format!("unbalanced parentheses in {text:?}")),
            ',' if !inside => {
                parts.push(text.get(begin..at).unwrap_or_default().trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(format!("unbalanced parentheses in {text:?}"));
    }
    parts.push(text.get(begin..).unwrap_or_default().trim());
    if text.trim().is_empty() { Ok(Vec::new()) } else { Ok(parts) }
}

fn expression(part: &str) -> Option<Expression> {
    if let Some(key) = part.strip_prefix('!') {
        return Some(Expression::DoesNotExist(key_of(key)?));
    }
    if let Some((head, list)) = part.split_once('(') {
        let values: BTreeSet<String> = list.strip_suffix(')')?.split(',').map(value_of).collect::<Option<_>>()?;
        let mut words = head.split_whitespace();
        let (key, operator) = (key_of(words.next()?)?, words.next()?);
        return match (operator, words.next()) {
            ("in", None) => Some(Expression::In(key, values)),
            ("notin", None) => Some(Expression::NotIn(key, values)),
            _ => None,
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Some(Expression::NotEqual(key_of(key)?, value_of(value)?));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Some(Expression::Equal(key_of(key)?, value_of(value)?));
    }
    Some(Expression::Exists(key_of(part)?))
}

fn fits(text: &str, more: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || more.as_bytes().contains(&b))
}

fn key_of(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= 317 && fits(text, "-_./")).then(|| text.to_owned())
}

fn value_of(text: &str) -> Option<String> {
    let text = text.trim();
    (text.len() <= 63 && fits(text, "-_.")).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kube::core::SelectorExt;

    use super::*;

    fn labels(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn selectors_select_as_kubectl_does() {
        let a = labels(&[("shard", "a"), ("dmsnet.dev/tier", "prod")]);
        for (text, of_a, of_none) in [
            ("", true, true),
            ("shard=a", true, false),
            ("shard == a", true, false),
            ("shard!=a", false, true),
            ("shard!=b", true, true),
            ("shard", true, false),
            ("!shard", false, true),
            ("shard in (a, b)", true, false),
            ("shard notin (a,b)", false, true),
            ("shard in (a,b),dmsnet.dev/tier=prod", true, false),
            ("shard=a,dmsnet.dev/tier=test", false, false),
            ("shard=", false, false),
        ] {
            let selector = parse(text).unwrap();
            assert_eq!((selector.matches(&a), selector.matches(&labels(&[]))), (of_a, of_none), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_selector_is_named() {
        for text in ["shard=a,,b=c", "shard in a", "shard in (a", "a b", "shard>3", "=a", "!", "a=b=c", "shard in (a)) "] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert_eq!(parse("x=y,shard>3").unwrap_err(), "\"shard>3\" is no label selector, such as `shard=a` or `!shard`");
    }
}
