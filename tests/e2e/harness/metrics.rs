//! The text of `/metrics`, to ask for one value.

pub struct Metrics(pub String);

impl Metrics {
    /// The sum of the samples of that name which carry all those labels; 0 if there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name)
            .filter(|(found, _)| labels.iter().all(|(k, v)| found.contains(&format!("{k}=\"{v}\""))))
            .map(|(_, value)| value)
            .sum()
    }

    /// Labels as text, and value, of every sample of that name.
    pub fn samples<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.rsplit_once('}')?,
                None => ("", rest.strip_prefix(' ')?),
            };
            Some((labels, value.split_whitespace().next()?.parse().ok()?))
        })
    }
}
