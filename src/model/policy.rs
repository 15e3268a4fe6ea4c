//! Endpoint policies compared by meaning: AWS gives them back re-serialised, so text says nothing.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// AWS's limit for an endpoint policy, in characters including white space (domain.md 2).
pub const MAX_CHARS: usize = 20_480;

/// A policy in canonical form. Equal policies mean the same; unequal ones may still, but are then treated as different.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Policy(Arc<str>);

/// Why a document is no endpoint policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum InvalidPolicy {
    #[error("is not JSON: {0}")]
    NotJson(String),
    #[error("is not an object with a Statement")]
    NoStatement,
    #[error("statement {0} {1}")]
    Statement(usize, &'static str),
    #[error("has {0} characters; AWS takes at most 20,480")]
    TooLong(usize),
}

impl Policy {
    /// The policy that AWS puts on an endpoint that names none: everything is allowed.
    pub fn full_access() -> Self {
        static ONE: LazyLock<Policy> =
            LazyLock::new(|| canonical(&json!({"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]})));
        ONE.clone()
    }

    /// Reads a policy as AWS returns it. What is no policy at all is kept as it is, so that it differs from all we want.
    pub fn from_aws(text: &str) -> Self {
        match serde_json::from_str::<Value>(text) {
            Ok(v) if v.is_object() => canonical(&v),
            _ => Self(text.trim().into()),
        }
    }

    /// Checks a document that a user wrote.
    pub fn from_user(document: &Value) -> Result<Self, InvalidPolicy> {
        let statements = match document.get("Statement") {
            Some(Value::Array(list)) if !list.is_empty() => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err(InvalidPolicy::NoStatement),
        };
        for (i, s) in statements.into_iter().enumerate() {
            let has = |a: &str, b: &str| s.get(a).is_some() || s.get(b).is_some();
            let wrong = if !s.is_object() {
                "is not an object"
            } else if !matches!(s.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
                "needs Effect: Allow or Deny"
            } else if !has("Action", "NotAction") {
                "needs an Action"
            } else if !has("Resource", "NotResource") {
                "needs a Resource"
            } else if !has("Principal", "NotPrincipal") {
                "needs a Principal"
            } else {
                continue;
            };
            return Err(InvalidPolicy::Statement(i + 1, wrong));
        }
        let length = document.to_string().chars().count();
        if length > MAX_CHARS {
            return Err(InvalidPolicy::TooLong(length));
        }
        Ok(canonical(document))
    }

    /// For people: short ones in full.
    pub fn summary(&self) -> String {
        const SHORT: usize = 300;
        if *self == Self::full_access() {
            return "FullAccess".to_owned();
        }
        match self.0.char_indices().nth(SHORT) {
            Some((cut, _)) => format!("{}… ({} characters)", &self.0[..cut], self.0.chars().count()),
            None => self.0.to_string(),
        }
    }

    /// The canonical JSON text, ready for AWS.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Statement order, scalar or one-element list, list order, `"*"` or `{"AWS": "*"}`, an account or its root ARN,
/// the case of condition keys, and numbers or booleans as strings: none of these changes what a policy says.
fn canonical(document: &Value) -> Policy {
    let mut out = Map::new();
    for (key, value) in document.as_object().into_iter().flatten() {
        let value = match key.as_str() {
            "Statement" => {
                let list: Vec<Value> = match value {
                    Value::Array(list) => list.iter().map(statement).collect(),
                    one => vec![statement(one)],
                };
                Value::Array(sorted(list))
            }
            // A document without a version is of the older language.
            "Version" if value == "2008-10-17" => continue,
            _ => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    Policy(Value::Object(out).to_string().into())
}

fn statement(value: &Value) -> Value {
    let Some(map) = value.as_object() else { return value.clone() };
    let mut out = Map::new();
    for (key, v) in map {
        let v = match key.as_str() {
            "Action" | "NotAction" => actions(v),
            "Resource" | "NotResource" => list(v, |s| s.to_owned()),
            "Principal" | "NotPrincipal" => principal(v),
            "Condition" => condition(v),
            _ => v.clone(),
        };
        out.insert(key.clone(), v);
    }
    Value::Object(out)
}

/// Action names are case-insensitive.
fn actions(v: &Value) -> Value {
    list(v, str::to_ascii_lowercase)
}

fn principal(v: &Value) -> Value {
    match v {
        Value::String(s) if s == "*" => json!({"AWS": ["*"]}),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(k, v)| (k.clone(), list(v, |s| if k == "AWS" { account(s) } else { s.to_owned() }))).collect())
        }
        other => other.clone(),
    }
}

fn account(s: &str) -> String {
    if s.len() == 12 && s.bytes().all(|b| b.is_ascii_digit()) { format!("arn:aws:iam::{s}:root") } else { s.to_owned() }
}

fn condition(v: &Value) -> Value {
    let Some(operators) = v.as_object() else { return v.clone() };
    let operators = operators.iter().map(|(op, keys)| {
        let keys = match keys.as_object() {
            Some(keys) => Value::Object(keys.iter().map(|(k, v)| (k.to_ascii_lowercase(), list(v, str::to_owned))).collect()),
            None => keys.clone(),
        };
        (op.clone(), keys)
    });
    Value::Object(operators.collect())
}

/// A scalar is a list of one; order and repetition do not count; all scalars are strings.
fn list(v: &Value, map: impl Fn(&str) -> String) -> Value {
    let one = |v: &Value| match v {
        Value::String(s) => Value::String(map(s)),
        Value::Bool(b) => Value::String(b.to_string()),
        Value::Number(n) => Value::String(n.to_string()),
        other => other.clone(),
    };
    let mut values = sorted(match v {
        Value::Array(list) => list.iter().map(one).collect(),
        other => vec![one(other)],
    });
    values.dedup();
    Value::Array(values)
}

fn sorted(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by_cached_key(Value::to_string);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meaning_counts_spelling_does_not() {
        let a = json!({"Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "dms:*", "Resource": "*"},
            {"Effect": "Deny", "Principal": {"AWS": "111122223333"}, "Action": ["dms:B", "dms:A"], "Resource": "*",
             "Condition": {"Bool": {"aws:SecureTransport": false}}},
        ]});
        let b = json!({"Statement": [
            {"Action": ["dms:a", "dms:b"], "Effect": "Deny", "Principal": {"AWS": ["arn:aws:iam::111122223333:root"]}, "Resource": ["*"],
             "Condition": {"Bool": {"AWS:SecureTransport": ["false"]}}},
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["dms:*"], "Resource": "*"},
        ]});
        assert_eq!(Policy::from_user(&a).unwrap(), Policy::from_aws(&serde_json::to_string_pretty(&b).unwrap()));
        let mut c = b.clone();
        c["Statement"][0]["Effect"] = json!("Allow");
        assert_ne!(Policy::from_user(&a).unwrap(), Policy::from_user(&c).unwrap());
    }

    #[test]
    fn full_access_is_recognised_as_aws_writes_it() {
        let aws = "{\n  \"Statement\": [\n    {\n      \"Action\": \"*\", \n      \"Effect\": \"Allow\", \n      \"Principal\": \"*\", \n      \"Resource\": \"*\"\n    }\n  ]\n}";
        assert_eq!(Policy::from_aws(aws), Policy::full_access());
        assert_eq!(Policy::from_aws(Policy::full_access().as_str()), Policy::full_access());
    }

    #[test]
    fn what_is_no_policy_is_refused_with_the_reason() {
        for (document, message) in [
            (json!("x"), "is not an object with a Statement"),
            (json!({"Statement": []}), "is not an object with a Statement"),
            (json!({"Statement": [{"Effect": "Maybe"}]}), "statement 1 needs Effect: Allow or Deny"),
            (json!({"Statement": [{"Effect": "Allow"}]}), "statement 1 needs an Action"),
            (json!({"Statement": {"Effect": "Allow", "Action": "*"}}), "statement 1 needs a Resource"),
            (json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}), "statement 1 needs a Principal"),
        ] {
            assert_eq!(Policy::from_user(&document).unwrap_err().to_string(), message);
        }
        let long = json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "x".repeat(MAX_CHARS), "Principal": "*"}});
        assert!(Policy::from_user(&long).unwrap_err().to_string().contains("AWS takes at most 20,480"));
    }
}
