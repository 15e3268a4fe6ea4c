//! Requests of the query protocols: parameters, EC2's filters, and pages.

use std::collections::{BTreeMap, HashSet};

use super::Fault;

/// Most values that EC2 takes in the filters of one call.
const FILTER_VALUES: usize = 200;

/// The parameters of a call, such as `Filter.1.Value.2`.
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a body of the query protocols.
    pub fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// One parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The values of `prefix.1`, `prefix.2`, …
    pub fn list(&self, prefix: &str) -> Vec<&str> {
        (1..).map_while(|n| self.get(&format!("{prefix}.{n}"))).collect()
    }

    /// Prefixes `prefix.1`, `prefix.2`, … of structures, as far as there is anything below them.
    pub fn nodes(&self, prefix: &str) -> Vec<String> {
        let below = |node: &String| self.0.range(format!("{node}.")..).next().is_some_and(|(key, _)| key.starts_with(&format!("{node}.")));
        (1..).map(|n| format!("{prefix}.{n}")).take_while(below).collect()
    }

    /// EC2's tags of new objects.
    pub fn tags(&self) -> dmsnet::model::Tags {
        let specs = self.nodes("TagSpecification");
        let tags = specs.iter().flat_map(|spec| self.nodes(&format!("{spec}.Tag")));
        tags.map(|tag| self.tag(&tag)).collect()
    }

    /// Key and value below a prefix.
    pub fn tag(&self, node: &str) -> (String, String) {
        let of = |field: &str| self.get(&format!("{node}.{field}")).unwrap_or_default().to_owned();
        (of("Key"), of("Value"))
    }

    /// Names and values of the filters, which are called `filters` in the protocol; refused beyond AWS's limit.
    pub fn filters(&self, filters: &str) -> Result<Vec<(&str, HashSet<&str>)>, Fault> {
        let nodes = self.nodes(filters);
        let filters: Vec<(&str, HashSet<&str>)> = nodes
            .iter()
            .map(|node| {
                let values = self.list(&format!("{node}.Value"));
                (self.get(&format!("{node}.Name")).unwrap_or_default(), values.into_iter().collect())
            })
            .collect();
        if filters.iter().map(|(_, values)| values.len()).sum::<usize>() > FILTER_VALUES {
            return Err(Fault(400, "FilterLimitExceeded", format!("more than {FILTER_VALUES} filter values")));
        }
        Ok(filters)
    }
}

/// One page of `rows`, from `token` on, and the token of the next. All of them where the caller sets no size.
pub fn page<T>(rows: Vec<T>, token: Option<&str>, size: Option<usize>, most: usize) -> Result<(Vec<T>, Option<String>), Fault> {
    if size.is_some_and(|size| size > most) {
        return Err(Fault(400, "InvalidParameterValue", format!("pages have at most {most} rows")));
    }
    let from = token.map_or(Ok(0), str::parse).map_err(|_| Fault(400, "InvalidNextToken", "no token of ours".into()))?;
    let (size, total) = (size.unwrap_or(usize::MAX), rows.len());
    let next = from + size.min(total.saturating_sub(from));
    let rows = rows.into_iter().skip(from).take(size).collect();
    Ok((rows, (next < total).then(|| next.to_string())))
}
