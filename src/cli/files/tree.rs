//! A YAML document as a tree that knows the line of every value, so that what is found wrong later can be pointed at.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Line in the file, from 1; 0 where it is not known.
    pub(super) line: u64,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
struct Entry {
    key: String,
    /// Line of the key.
    line: u64,
    value: Node,
}

impl Node {
    /// All documents of a file; empty ones are left out.
    pub(super) fn read(text: &str) -> Result<Vec<Self>, serde_saphyr::Error> {
        serde_saphyr::from_multiple(text)
    }

    /// As plain JSON.
    pub(super) fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Map(entries) => Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect()),
        }
    }

    /// The value under a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|e| &e.value)
    }

    /// The text of a string.
    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The entries of a list.
    pub(super) fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// Whether it is a mapping.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.content, Content::Map(_))
    }

    /// Line of the deepest part of `field` that is there.
    pub(super) fn line_of(&self, field: &Field) -> u64 {
        let mut at = (self.line, self);
        for step in &field.0 {
            let Some(next) = at.1.step(step) else { break };
            at = next;
        }
        at.0
    }

    /// Whether `field` is written, with nothing behind it.
    pub(super) fn is_null_at(&self, field: &Field) -> bool {
        let found = field.0.iter().try_fold(self, |node, step| node.step(step).map(|(_, n)| n));
        found.is_some_and(|n| matches!(n.content, Content::Scalar(Value::Null)))
    }

    fn step(&self, step: &Step) -> Option<(u64, &Self)> {
        match (step, &self.content) {
            (Step::Key(key), Content::Map(_)) => self.entry(key).map(|e| (e.line, &e.value)),
            (Step::Index(i), Content::List(items)) => items.get(*i).map(|n| (n.line, n)),
            _ => None,
        }
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|e| e.key == key),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self { line: referenced.line(), content: value })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<Content, E> {
                Ok(Content::Scalar(Value::Null))
            }

            fn visit_none<E>(self) -> Result<Content, E> {
                Ok(Content::Scalar(Value::Null))
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
                Content::deserialize(deserializer)
            }

            fn visit_bool<E>(self, v: bool) -> Result<Content, E> {
                Ok(Content::Scalar(v.into()))
            }

            fn visit_i64<E>(self, v: i64) -> Result<Content, E> {
                Ok(Content::Scalar(v.into()))
            }

            fn visit_u64<E>(self, v: u64) -> Result<Content, E> {
                Ok(Content::Scalar(v.into()))
            }

            fn visit_f64<E: Error>(self, v: f64) -> Result<Content, E> {
                let number = Number::from_f64(v).ok_or_else(|| E::custom(format!("{v} is no number that JSON knows")))?;
                Ok(Content::Scalar(Value::Number(number)))
            }

            fn visit_str<E>(self, v: &str) -> Result<Content, E> {
                Ok(Content::Scalar(v.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Content::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
                let mut entries = Vec::new();
                while let Some(Spanned { value: key, referenced, .. }) = map.next_key::<Spanned<String>>()? {
                    entries.push(Entry { key, line: referenced.line(), value: map.next_value()? });
                }
                Ok(Content::Map(entries))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// The way to a value: `spec.databases[0].name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Field(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Field {
    /// Of keys separated by dots.
    pub(super) fn of(path: &str) -> Self {
        Self(path.split('.').map(|k| Step::Key(k.to_owned())).collect())
    }

    /// The field `key` of this one.
    pub(super) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// The entry `index` of this one, from 0.
    pub(super) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    /// Whether it is the whole document.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn step(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }
}

impl From<&serde_path_to_error::Path> for Field {
    fn from(path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment;
        let steps = path.iter().filter_map(|s| match s {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        Self(steps.collect())
    }
}

impl From<&serde_ignored::Path<'_>> for Field {
    fn from(path: &serde_ignored::Path<'_>) -> Self {
        use serde_ignored::Path;
        match path {
            Path::Root => Self::default(),
            Path::Seq { parent, index } => Self::from(*parent).index(*index),
            Path::Map { parent, key } => Self::from(*parent).key(key),
            Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => Self::from(*parent),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(n) => write!(f, "[{n}]")?,
                // Label and annotation keys have dots of their own.
                Step::Key(key) if key.contains(['.', '/']) => write!(f, "[{key:?}]")?,
                Step::Key(key) if i == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}
