//! The lanes themselves: what is met, the ways through it, and the databases.

use super::{
    super::{
        lanes::{Lane, Lanes, Stage, Station},
        scene::{Font, Frame, Scene, Shape},
    },
    grid::{Columns, END, LINE, MARGIN, PAD, Row, Rows, SHOWN, SOURCE, THING, goes_on, label_width},
};
use crate::reach::State;

/// As [`crate::cli::explain`] calls it.
const BEYOND: &str = "beyond";

/// What is drawn on, and where things are.
pub struct Draw<'a> {
    pub scene: &'a mut Scene,
    pub all: &'a Lanes,
    pub columns: &'a Columns,
    pub rows: &'a Rows,
}

impl Draw<'_> {
    /// Boxes first, then ways, then what is written over both.
    pub fn all(mut self) {
        self.things();
        let (all, rows) = (self.all, self.rows);
        for (lane, row) in all.lanes.iter().zip(&rows.rows) {
            self.ways(lane, row);
        }
        for (lane, row) in all.lanes.iter().zip(&rows.rows) {
            self.end(lane, row);
            self.labels(row);
        }
    }

    /// A box for each thing, across all lanes that meet it.
    fn things(&mut self) {
        let lanes = &self.all.lanes;
        for (i, lane) in lanes.iter().enumerate() {
            for (stage, station) in &lane.stations {
                if goes_on(lanes, i, *stage) {
                    continue;
                }
                let last = (i + 1..lanes.len()).take_while(|n| goes_on(lanes, *n, *stage)).last().unwrap_or(i);
                let (top, bottom) = (self.rows.rows[i].top, self.rows.rows[last].bottom);
                self.thing(*stage, station, top, bottom);
            }
        }
    }

    fn thing(&mut self, stage: Stage, station: &Station, top: i32, bottom: i32) {
        let left = self.columns.left(stage);
        let tip = format!("{} {}", station.kind, station.resources.join(", "));
        self.scene.frame(Frame::Thing, (left, top, THING, bottom - top), tip);
        let middle = left + THING / 2;
        let kind = match station.kind {
            "security groups" => "groups",
            "peering connection" => "peering",
            "network interface" => "host",
            "internet gateway" => "internet gw",
            BEYOND => "far side",
            kind => kind,
        };
        let mut y = top + LINE;
        self.scene.centred(Font::Kind, (middle, y), kind);
        let more = station.resources.len().saturating_sub(SHOWN);
        let ids = station.resources.iter().take(SHOWN).map(|r| short(r)).chain((more > 0).then(|| format!("+ {more} more")));
        for id in ids {
            y += LINE;
            self.scene.centred(Font::Id, (middle, y), Font::Id.fit(&id, THING - 4));
        }
    }

    /// The packet's way from left to right, its answer's from right to left: each as open as what it has met so far.
    fn ways(&mut self, lane: &Lane, row: &Row) {
        let (start, end) = (MARGIN + PAD + SOURCE - 8, self.columns.end);
        let stations = || lane.stations.iter().map(|(stage, s)| (self.columns.left(*stage) + THING / 2, s));
        // What blocks may be no hop at all.
        let worst = lane.stations.values().map(Station::state).max().unwrap_or(State::NotAsked);
        let first = if worst < lane.verdict { lane.verdict } else { State::Open };
        let out: Vec<(i32, State)> = stations().filter_map(|(x, s)| Some((x, s.out?))).collect();
        let back: Vec<(i32, State)> = stations().filter_map(|(x, s)| Some((x, s.back?))).collect();
        self.way((start, end), row.out, first, out.into_iter());
        // What lies behind what is not shown is not shown of answers either.
        let far = lane.stations.get(&Stage::FarAcl).filter(|s| s.kind == BEYOND).map_or(first, |s| first.max(s.state()));
        self.way((end, start), row.back(), far, back.into_iter().rev());
    }

    fn way(&mut self, (from, to): (i32, i32), y: i32, mut state: State, met: impl Iterator<Item = (i32, State)>) {
        let left = to < from;
        let mut dots = Vec::new();
        let mut x = from;
        for (at, does) in met {
            dots.push(Shape::Station { state: does, at: (at, y) });
            if does > state {
                self.scene.shapes.push(Shape::Line { state, from: (x, y), to: (at, y) });
                (x, state) = (at, does);
            }
        }
        // The tip is not to be blurred by the line's end.
        let end = if left { to + 6 } else { to - 6 };
        self.scene.shapes.push(Shape::Line { state, from: (x, y), to: (end, y) });
        self.scene.shapes.push(Shape::Arrow { state, at: (to, y), left });
        self.scene.shapes.append(&mut dots);
    }

    fn end(&mut self, lane: &Lane, row: &Row) {
        let (top, height) = row.end();
        let left = self.columns.end;
        self.scene.frame(Frame::End(lane.verdict), (left, top, END, height), format!("{} {}", lane.name, lane.target));
        let closed = lane.verdict > State::Open;
        let width = END - 20 - if closed { 18 } else { 0 };
        let named = if lane.target.is_empty() { 5 } else { 0 };
        self.scene.text(Font::Name, (left + 10, row.out + 2 + named), Font::Name.fit(&lane.name, width));
        self.scene.text(Font::Id, (left + 10, row.out + 18), Font::Id.fit(&lane.target, width));
        if closed {
            self.scene.shapes.push(Shape::Station { state: lane.verdict, at: (left + END - 14, row.out + 7) });
        }
    }

    fn labels(&mut self, row: &Row) {
        for (state, text, left, line) in &row.labels {
            let (top, width) = (row.back() + 11 + line * super::grid::LABEL, label_width(*state, text));
            self.scene.frame(Frame::Label(*state), (*left, top, width, 15), "");
            self.scene.text(Font::Code(*state), (left + 7, top + 11), text);
        }
    }
}

/// An ID that people still recognise: what is long loses all but its end.
pub fn short(id: &str) -> String {
    const WHOLE: usize = 13;
    const END: usize = 6;
    match id.rsplit_once('-') {
        Some((kind, hex)) if id.len() > WHOLE && hex.len() == 17 && hex.chars().all(|c| c.is_ascii_hexdigit()) => {
            format!("{kind}-…{}", &hex[hex.len() - END..])
        }
        _ => id.to_owned(),
    }
}
