//! What a picture consists of: shapes at places, in pixels. How they look is for who writes them out to say.

use crate::reach::State;

/// What text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Font {
    /// The network's name.
    Title,
    /// Beside it, and notes.
    Text,
    /// A name in a box.
    Name,
    /// What something is.
    Kind,
    /// IDs, hosts, addresses: of fixed width.
    Id,
    /// A finding's code: of fixed width.
    Code(State),
}

impl Font {
    /// How wide a text is, in tenths of a pixel for each character: exact where the width is fixed, else what is enough.
    pub fn advance(self) -> i32 {
        match self {
            Self::Title => 95,
            Self::Text => 62,
            Self::Name => 75,
            Self::Kind => 56,
            Self::Id => 60,
            Self::Code(_) => 61,
        }
    }

    /// How wide a text is.
    pub fn width(self, text: &str) -> i32 {
        i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 1000) * self.advance() / 10
    }

    /// A text that fits into this width: what is too long loses its middle.
    pub fn fit(self, text: &str, width: i32) -> String {
        let most = usize::try_from(width * 10 / self.advance()).unwrap_or(0).max(3);
        let chars: Vec<char> = text.chars().collect();
        if chars.len() <= most {
            return text.to_owned();
        }
        let tail = (most - 1) / 2;
        let head = most - 1 - tail;
        chars[..head].iter().chain(&['…']).chain(&chars[chars.len() - tail..]).collect()
    }
}

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// What all of it is painted on.
    Canvas,
    /// A subnet.
    Subnet,
    /// What lies outside of AWS, or is not shown.
    Outside,
    /// A group, an ACL, a gateway.
    Thing,
    /// The replication.
    Replication,
    /// A database or service, or a VPC endpoint.
    End(State),
    /// Behind a code.
    Label(State),
}

/// How text is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A VPC: a polygon with right angles.
    Vpc(Vec<(i32, i32)>),
    /// A box; `tip` is told in full where the text in it is cut.
    Box {
        /// What it stands for.
        frame: Frame,
        /// Left, top, width, height.
        at: (i32, i32, i32, i32),
        /// What a pointer that rests on it is told.
        tip: String,
    },
    /// A text; the place is that of its base line.
    Text {
        /// In which font.
        font: Font,
        /// Where.
        at: (i32, i32),
        /// How it is aligned there.
        anchor: Anchor,
        /// What it says.
        text: String,
    },
    /// A part of a way.
    Line {
        /// Whether packets get there.
        state: State,
        /// From.
        from: (i32, i32),
        /// To.
        to: (i32, i32),
    },
    /// The tip of an arrow, pointing right or left.
    Arrow {
        /// Whether packets get there.
        state: State,
        /// Its point.
        at: (i32, i32),
        /// Whether it points left.
        left: bool,
    },
    /// Where a way meets something.
    Station {
        /// What that does to packets.
        state: State,
        /// Where.
        at: (i32, i32),
    },
}

/// A picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// In one sentence, for who cannot see it.
    pub title: String,
    /// How wide and high.
    pub size: (i32, i32),
    /// Painted in this order.
    pub shapes: Vec<Shape>,
}

impl Scene {
    /// Adds a text.
    pub fn text(&mut self, font: Font, at: (i32, i32), text: impl Into<String>) {
        self.shapes.push(Shape::Text { font, at, anchor: Anchor::Start, text: text.into() });
    }

    /// Adds a text around a place.
    pub fn centred(&mut self, font: Font, at: (i32, i32), text: impl Into<String>) {
        self.shapes.push(Shape::Text { font, at, anchor: Anchor::Middle, text: text.into() });
    }

    /// Adds a box.
    pub fn frame(&mut self, frame: Frame, at: (i32, i32, i32, i32), tip: impl Into<String>) {
        self.shapes.push(Shape::Box { frame, at, tip: tip.into() });
    }
}
