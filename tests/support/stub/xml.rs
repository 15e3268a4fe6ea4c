//! Just enough XML to answer with.

use std::fmt::{Display, Write};

#[derive(Default)]
pub struct Xml(pub String);

impl Xml {
    /// `<name>text</name>`, with the text escaped.
    pub fn text(&mut self, name: &str, text: impl Display) {
        self.open(name);
        let start = self.0.len();
        let _ = write!(self.0, "{text}"); // into a String: cannot fail
        if self.0[start..].contains(['&', '<', '>']) {
            let escaped = self.0[start..].replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            self.0.replace_range(start.., &escaped);
        }
        self.close(name);
    }

    /// `<name>…</name>`
    pub fn node(&mut self, name: &str, inner: impl FnOnce(&mut Self)) {
        self.open(name);
        inner(self);
        self.close(name);
    }

    /// `<name><item>…</item>…</name>`, as EC2 lists.
    pub fn items<T>(&mut self, name: &str, list: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.list(name, "item", list, &mut each);
    }

    /// `<name><member>…</member>…</name>`, as RDS lists.
    pub fn list<T>(&mut self, name: &str, member: &str, list: impl IntoIterator<Item = T>, each: &mut impl FnMut(&mut Self, T)) {
        self.node(name, |x| {
            for one in list {
                x.node(member, |x| each(x, one));
            }
        });
    }

    /// `<tagSet>` of EC2.
    pub fn tags(&mut self, tags: &dmsnet::model::Tags) {
        self.items("tagSet", tags, |x, (key, value)| {
            x.text("key", key);
            x.text("value", value);
        });
    }

    fn open(&mut self, name: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
    }

    fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }
}
