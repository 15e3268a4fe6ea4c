//! Where the columns and rows of a picture are.

use std::ops::Range;

use super::super::{
    lanes::{Lane, Lanes, Place, Stage, Station},
    scene::Font,
};
use crate::reach::State;

/// Around everything.
pub const MARGIN: i32 = 20;
/// Between a VPC's line and what is in it.
pub const PAD: i32 = 14;
/// Subnets of the replication.
pub const SOURCE: i32 = 296;
/// Their text; the replication stands beside it.
pub const SOURCE_TEXT: i32 = 164;
/// A database.
pub const END: i32 = 216;
/// What is met.
pub const THING: i32 = 80;
/// Room for the tip of an arrow.
pub const TIP: i32 = 14;
/// Between the packet's way and its answer's.
pub const WAYS: i32 = 14;
/// A line of text in a box.
pub const LINE: i32 = 13;
/// At the top of a VPC or of what lies outside.
pub const HEAD: i32 = 24;
/// A code, with what is between it and the next.
pub const LABEL: i32 = 18;
/// IDs and subnets that are written out; of more, the number is told.
pub const SHOWN: usize = 3;
/// Half of a database's box, seen from the packet's way.
const RISE: i32 = 17;

/// The columns.
pub struct Columns {
    lefts: Vec<(Stage, i32)>,
    /// Left side of the first.
    pub first: i32,
    /// Left side of databases.
    pub end: i32,
    /// Right side of the replication's VPC where what is behind is not in it.
    pub border: i32,
    /// Left side of what lies elsewhere.
    pub elsewhere: i32,
    /// Left side of the database's subnets.
    pub inner: i32,
}

impl Columns {
    /// Of those stages that any lane has.
    pub fn of(lanes: &[Lane]) -> Self {
        const GAP: i32 = 8;
        let first = MARGIN + PAD + SOURCE + 16;
        let mut stages: Vec<Stage> = lanes.iter().flat_map(|l| l.stations.keys().copied()).collect();
        stages.sort_unstable();
        stages.dedup();
        let leaves = lanes.iter().any(|l| l.place != Place::Home);
        let (mut x, mut border, mut elsewhere, mut lefts) = (first, None, None, Vec::new());
        let mut leave = |x: &mut i32, gateway: bool| {
            if elsewhere.is_none() && leaves {
                *x += if gateway { 16 } else { 30 };
                elsewhere = Some(*x - 12);
            }
        };
        for stage in stages {
            if stage > Stage::Gateway {
                leave(&mut x, border.is_some());
            }
            // A line goes through the one, and between the other and what is before it.
            if stage == Stage::FarGroups {
                x += 10;
            }
            if stage == Stage::Gateway {
                x += 4;
                border = Some(x + THING / 2);
            }
            lefts.push((stage, x));
            x += THING + GAP;
        }
        leave(&mut x, border.is_some());
        let end = x + TIP;
        let elsewhere = elsewhere.unwrap_or(end);
        let inner = lefts.iter().find(|(s, _)| *s == Stage::FarGroups).map_or(end - TIP, |(_, x)| *x) - 7;
        Self { lefts, first, end, border: border.unwrap_or(elsewhere - 9), elsewhere, inner }
    }

    /// Left side of a stage.
    pub fn left(&self, stage: Stage) -> i32 {
        self.lefts.iter().find(|(s, _)| *s == stage).map_or(self.first, |(_, x)| *x)
    }

    /// Right side of databases.
    pub fn right(&self) -> i32 {
        self.end + END
    }
}

/// A lane's height.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where boxes begin.
    pub top: i32,
    /// The packet's way; its answer's is below.
    pub out: i32,
    /// Where boxes end.
    pub bottom: i32,
    /// Codes below the lines: the text, left side, and which line of them.
    pub labels: Vec<(State, String, i32, i32)>,
}

impl Row {
    /// The answer's way.
    pub fn back(&self) -> i32 {
        self.out + WAYS
    }

    /// Top and height of the database's box.
    pub fn end(&self) -> (i32, i32) {
        (self.out - RISE, 2 * RISE + WAYS)
    }
}

/// Lanes that share something, and where it is drawn.
pub struct Span {
    /// Which lanes.
    pub lanes: Range<usize>,
    /// Top.
    pub top: i32,
    /// Bottom.
    pub bottom: i32,
}

/// The rows, from top to bottom, and what holds them together.
#[derive(Default)]
pub struct Rows {
    /// One for each lane.
    pub rows: Vec<Row>,
    /// Lanes that end at one place.
    pub places: Vec<Span>,
    /// Lanes that end in the same subnets.
    pub subnets: Vec<Span>,
    /// Where they end.
    pub bottom: i32,
}

impl Rows {
    /// Of these lanes, from `y` on.
    pub fn of(all: &Lanes, columns: &Columns, mut y: i32) -> Self {
        let lanes = &all.lanes;
        let mut rows = Self::default();
        for (i, lane) in lanes.iter().enumerate() {
            let before = i.checked_sub(1).map(|b| &lanes[b]);
            let same_place = before.is_some_and(|b| b.place == lane.place);
            let same_subnets = same_place && before.is_some_and(|b| b.subnets == lane.subnets);
            if !same_subnets && before.is_some_and(in_subnets) {
                y += 6;
            }
            if !same_place {
                y += if i == 0 { 0 } else { 18 };
                rows.places.push(Span { lanes: i..i + 1, top: y, bottom: y });
                // The replication's VPC has its head already.
                y += if lane.place == Place::Home { 0 } else { HEAD };
            }
            if in_subnets(lane) && !same_subnets {
                rows.subnets.push(Span { lanes: i..i + 1, top: y, bottom: y });
                y += 6 + LINE * lines(lane.subnets.len());
            }
            let row = row(lanes, i, columns, y);
            y = row.bottom + 6;
            for (spans, inside) in [(&mut rows.subnets, in_subnets(lane)), (&mut rows.places, true)] {
                if let Some(span) = spans.last_mut().filter(|_| inside) {
                    span.lanes.end = i + 1;
                    span.bottom = row.bottom + if in_subnets(lane) { 6 } else { 4 };
                }
            }
            rows.rows.push(row);
        }
        for place in &mut rows.places {
            place.bottom += if in_subnets(&lanes[place.lanes.end - 1]) { 6 } else { 4 };
        }
        rows.bottom = rows.places.last().map_or(y, |p| p.bottom);
        rows
    }
}

/// Whether its end is drawn in subnets.
pub fn in_subnets(lane: &Lane) -> bool {
    !lane.subnets.is_empty()
}

/// Lines that a list takes.
pub fn lines(count: usize) -> i32 {
    i32::try_from(count.min(SHOWN + 1)).unwrap_or(0)
}

/// Whether a lane meets the very thing that the one before it met there.
pub fn goes_on(lanes: &[Lane], i: usize, stage: Stage) -> bool {
    let Some(before) = i.checked_sub(1).map(|b| &lanes[b]) else { return false };
    let (Some(one), Some(other)) = (before.stations.get(&stage), lanes[i].stations.get(&stage)) else { return false };
    let near = stage <= Stage::Gateway;
    let together = near || before.place == lanes[i].place && (stage != Stage::FarGroups || before.subnets == lanes[i].subnets);
    together && one.kind == other.kind && one.resources == other.resources
}

/// Height of what is written in a box.
pub fn head_of(station: &Station) -> i32 {
    LINE * (1 + lines(station.resources.len())) + 2
}

fn row(lanes: &[Lane], i: usize, columns: &Columns, y: i32) -> Row {
    let lane = &lanes[i];
    let heads = lane.stations.iter().filter(|(stage, _)| !goes_on(lanes, i, **stage)).map(|(_, s)| head_of(s));
    let top = y + 2;
    let out = top + heads.max().map_or(0, |h| h + 10).max(RISE);
    let labels = labels(lane, columns);
    let under = labels.iter().map(|(.., line)| line + 1).max().unwrap_or(0);
    Row { top, out, bottom: out + WAYS + RISE + LABEL * under - if under > 0 { 4 } else { 0 }, labels }
}

/// Puts codes under their stations: each into the first line that has room.
fn labels(lane: &Lane, columns: &Columns) -> Vec<(State, String, i32, i32)> {
    let mut rights: Vec<i32> = Vec::new();
    let mut labels = Vec::new();
    for (stage, station) in &lane.stations {
        for (state, text) in &station.codes {
            let width = label_width(*state, text);
            let left = columns.left(*stage) + (THING - width) / 2;
            let left = left.min(columns.end - TIP - width).max(columns.first - 4);
            let line = rights.iter().position(|right| *right < left).unwrap_or(rights.len());
            match rights.get_mut(line) {
                Some(right) => *right = left + width + 4,
                None => rights.push(left + width + 4),
            }
            labels.push((*state, text.clone(), left, i32::try_from(line).unwrap_or(0)));
        }
    }
    labels
}

/// How wide a code is with its box.
pub fn label_width(state: State, text: &str) -> i32 {
    Font::Code(state).width(text) + 14
}
