//! Networks as a scene: the replication's subnets on the left, what packets meet in columns, databases on the right, each way a
//! lane of its own: so no two ways cross, however many there are.

mod draw;
mod grid;

use super::{
    Places, Subject,
    lanes::{Lanes, Note, Place},
    scene::{Anchor, Font, Frame, Scene, Shape},
};
use crate::reach::State;
use draw::Draw;
use grid::{Columns, HEAD, LINE, MARGIN, PAD, Rows, SHOWN, SOURCE, SOURCE_TEXT};

/// The narrowest picture: notes must be readable.
const NARROWEST: i32 = 900;
/// A VPC endpoint's box, and what is between two.
const ENDPOINT: (i32, i32, i32) = (206, 46, 10);

/// Puts networks below each other.
pub fn arrange(subjects: &[Subject], places: &Places) -> Scene {
    let mut scene = Scene::default();
    let names: Vec<&str> = subjects.iter().map(|s| s.network.name.as_str()).collect();
    scene.title = format!("The network of {}", names.join(", "));
    scene.frame(Frame::Canvas, (0, 0, 0, 0), "");
    let mut y = MARGIN;
    for subject in subjects {
        let (width, bottom) = network(&mut scene, subject, places, y);
        scene.size.0 = scene.size.0.max(width);
        y = bottom + MARGIN;
    }
    scene.size = (scene.size.0.max(NARROWEST), y);
    if let Some(Shape::Box { at, .. }) = scene.shapes.first_mut() {
        // A line of one pixel all within.
        *at = (0, 0, scene.size.0, scene.size.1);
    }
    scene
}

/// Draws one from `y` on. Returns its width and its bottom.
fn network(scene: &mut Scene, subject: &Subject, places: &Places, y: i32) -> (i32, i32) {
    let all = Lanes::of(&subject.network, places);
    let columns = Columns::of(&all.lanes);
    let right = columns.right() + PAD;
    let width = (right + MARGIN).max(NARROWEST);
    heading(scene, subject, &all, width, y);
    let mut bottom = y + 48;
    if !all.lanes.is_empty() {
        let top = bottom;
        let rows = Rows::of(&all, &columns, top + HEAD + 4);
        let subnets = i32::try_from(all.subnets.len().min(SHOWN + 1)).unwrap_or(0);
        let source = (top + HEAD + 4, (rows.bottom - 8).max(top + HEAD + 4 + subnets * (4 * LINE + 6)));
        let strip = source.1 + 10;
        let within = (MARGIN + PAD, columns.border - PAD);
        let boxes = endpoint_boxes(subject, within, strip);
        bottom = boxes.iter().map(|b| b.1 + ENDPOINT.1 + 10).max().unwrap_or(0).max(source.1 + 8).max(rows.bottom + 4);
        home(scene, &all, subject, places, &columns, &rows, (top, bottom));
        sources(scene, &all, subject, places, source);
        elsewhere(scene, &all, subject, places, &columns, &rows);
        endpoints(scene, subject, &boxes);
        Draw { scene, all: &all, columns: &columns, rows: &rows }.all();
    }
    (width, notes(scene, subject, &all.notes, width, bottom + 10))
}

fn heading(scene: &mut Scene, subject: &Subject, all: &Lanes, width: i32, y: i32) {
    let n = &subject.network;
    scene.text(Font::Title, (MARGIN, y + 14), &n.name);
    let count = |state| all.lanes.iter().filter(|l| l.verdict == state).count();
    let told = [(State::Open, "open"), (State::Blocked, "blocked"), (State::Unknown, "not known in full")];
    let told = told.iter().filter(|(s, _)| count(*s) > 0).map(|(s, what)| format!("{} {what}", count(*s)));
    let facts = [format!("class {}", n.class), format!("account {}", n.account), n.region.clone()];
    let line: Vec<String> = facts.into_iter().chain(told).collect();
    scene.text(Font::Text, (MARGIN, y + 34), line.join(" · "));
    let mut x = width - MARGIN;
    let words = [("not shown by AWS", State::Unknown), ("blocked", State::Blocked), ("open", State::Open)];
    for (text, state) in words {
        scene.shapes.push(Shape::Text { font: Font::Text, at: (x, y + 14), anchor: Anchor::End, text: text.to_owned() });
        x -= Font::Text.width(text) + 6;
        scene.shapes.push(Shape::Line { state, from: (x - 30, y + 10), to: (x, y + 10) });
        scene.shapes.push(Shape::Station { state, at: (x - 15, y + 10) });
        x -= 46;
    }
    let text = "above: the packet that connects · below: its answer".to_owned();
    scene.shapes.push(Shape::Text { font: Font::Kind, at: (width - MARGIN, y + 34), anchor: Anchor::End, text });
}

/// The replication's VPC: wide where databases are in it, else up to what leads out of it.
fn home(scene: &mut Scene, all: &Lanes, subject: &Subject, places: &Places, columns: &Columns, rows: &Rows, span: (i32, i32)) {
    let (top, bottom) = span;
    let (left, right) = (MARGIN, columns.right() + PAD);
    let inside = rows.places.iter().find(|p| all.lanes[p.lanes.start].place == Place::Home);
    let corners = match inside {
        Some(_) if rows.places.len() == 1 => vec![(left, top), (right, top), (right, bottom), (left, bottom)],
        Some(inside) => vec![
            (left, top),
            (right, top),
            (right, inside.bottom),
            (columns.border, inside.bottom),
            (columns.border, bottom),
            (left, bottom),
        ],
        None => vec![(left, top), (columns.border, top), (columns.border, bottom), (left, bottom)],
    };
    scene.shapes.push(Shape::Vpc(corners));
    let n = &subject.network;
    let words = all.vpc.as_ref().map_or_else(|| "VPC".to_owned(), |v| places.vpc_in_words(v, &n.account, &n.region).join(" · "));
    let words = Font::Id.fit(&words, columns.border - left - 2 * PAD);
    scene.text(Font::Id, (left + PAD, top + 17), words);
}

/// The subnets that the replication may live in, and the replication in all of them.
fn sources(scene: &mut Scene, all: &Lanes, subject: &Subject, places: &Places, (top, bottom): (i32, i32)) {
    let left = MARGIN + PAD;
    let shown = all.subnets.len().min(SHOWN);
    let more = all.subnets.len() - shown;
    let bands = i32::try_from(shown + usize::from(more > 0)).unwrap_or(1).max(1);
    let height = (bottom - top) / bands;
    let mut y = top;
    for subnet in all.subnets.iter().take(shown) {
        let (zone, cidrs) = places.subnet(subnet);
        scene.frame(Frame::Subnet, (left, y, SOURCE, height - 6), format!("subnet {subnet} {zone} {cidrs}"));
        scene.text(Font::Name, (left + 8, y + 17), if zone.is_empty() { "subnet" } else { &zone });
        scene.text(Font::Id, (left + 8, y + 17 + LINE), Font::Id.fit(subnet, SOURCE_TEXT - 10));
        scene.text(Font::Id, (left + 8, y + 17 + 2 * LINE), Font::Id.fit(&cidrs, SOURCE_TEXT - 10));
        y += height;
    }
    if more > 0 {
        scene.frame(Frame::Subnet, (left, y, SOURCE, height - 6), all.subnets[shown..].join(", "));
        scene.text(Font::Kind, (left + 8, y + 17), format!("and {more} more subnets"));
    }
    let (x, width) = (left + SOURCE_TEXT, SOURCE - SOURCE_TEXT - 8);
    scene.frame(Frame::Replication, (x, top + 8, width, bottom - top - 22), &subject.replication);
    let middle = (top + bottom - 6) / 2;
    scene.centred(Font::Kind, (x + width / 2, middle - 6), "DMS replication");
    scene.centred(Font::Name, (x + width / 2, middle + 10), Font::Name.fit(&subject.replication, width - 8));
}

/// What lies outside the replication's VPC, and the subnets of databases.
fn elsewhere(scene: &mut Scene, all: &Lanes, subject: &Subject, places: &Places, columns: &Columns, rows: &Rows) {
    let right = columns.right() + PAD;
    let (left, n) = (columns.elsewhere, &subject.network);
    for span in &rows.places {
        let head = |scene: &mut Scene, words: &str| {
            scene.text(Font::Id, (left + 10, span.top + 17), Font::Id.fit(words, right - left - 20));
        };
        match &all.lanes[span.lanes.start].place {
            Place::Home => {}
            Place::Vpc(vpc) => {
                scene.shapes.push(Shape::Vpc(vec![(left, span.top), (right, span.top), (right, span.bottom), (left, span.bottom)]));
                head(scene, &places.vpc_in_words(vpc, &n.account, &n.region).join(" · "));
            }
            Place::Outside(what) => {
                scene.frame(Frame::Outside, (left, span.top, right - left, span.bottom - span.top), "");
                scene.text(Font::Kind, (left + 10, span.top + 17), *what);
            }
        }
    }
    for span in &rows.subnets {
        let subnets = &all.lanes[span.lanes.start].subnets;
        let at = (columns.inner, span.top, columns.right() + 7 - columns.inner, span.bottom - span.top);
        let mut y = span.top + 3 + LINE - 3;
        let mut words: Vec<String> = Vec::new();
        for subnet in subnets {
            let (zone, cidrs) = places.subnet(subnet);
            words.push([zone, cidrs, draw::short(subnet)].into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" · "));
        }
        scene.frame(Frame::Subnet, at, subnets.join(", "));
        let more = words.len().saturating_sub(SHOWN);
        words.truncate(SHOWN);
        words.extend((more > 0).then(|| format!("and {more} more subnets")));
        for line in words {
            scene.text(Font::Id, (at.0 + 8, y), Font::Id.fit(&line, at.2 - 16));
            y += LINE;
        }
    }
}

/// Where the boxes of VPC endpoints are: in rows from left to right.
fn endpoint_boxes(subject: &Subject, (left, right): (i32, i32), top: i32) -> Vec<(i32, i32)> {
    let (mut x, mut y) = (left, top);
    let mut boxes = Vec::new();
    for _ in &subject.endpoints {
        if x > left && x + ENDPOINT.0 > right {
            (x, y) = (left, y + ENDPOINT.1 + ENDPOINT.2);
        }
        boxes.push((x, y));
        x += ENDPOINT.0 + ENDPOINT.2;
    }
    boxes
}

fn endpoints(scene: &mut Scene, subject: &Subject, boxes: &[(i32, i32)]) {
    for (endpoint, (x, y)) in subject.endpoints.iter().zip(boxes) {
        let text = endpoint.state.as_deref().unwrap_or("not there yet");
        let state = match (&endpoint.id, text) {
            (Some(_), "available") => State::Open,
            (Some(_), "failed" | "rejected" | "expired") => State::Blocked,
            _ => State::Unknown,
        };
        let id = endpoint.id.as_deref().unwrap_or("");
        scene.frame(Frame::End(state), (*x, *y, ENDPOINT.0, ENDPOINT.1), format!("{} {id} {text}", endpoint.service));
        scene.text(Font::Kind, (x + 10, y + 14), format!("VPC endpoint · {text}"));
        let service = endpoint.service.rsplit_once(&format!("{}.", subject.network.region)).map_or(&*endpoint.service, |(_, s)| s);
        scene.text(Font::Name, (x + 10, y + 27), Font::Name.fit(service, ENDPOINT.0 - 20));
        scene.text(Font::Id, (x + 10, y + 40), id);
    }
}

/// Below the picture: what blocks, and what AWS does not show, in sentences.
fn notes(scene: &mut Scene, subject: &Subject, notes: &[Note], width: i32, mut y: i32) -> i32 {
    let problems = subject.network.problems.iter().map(|p| {
        let about = format!("{} {}", p.reason, p.resource);
        Note { state: State::Blocked, names: vec![], about, text: p.message.clone() }
    });
    let columns = usize::try_from((width - 2 * MARGIN - 22) * 10 / Font::Text.advance()).unwrap_or(100);
    for note in problems.chain(notes.iter().cloned()) {
        y += 18;
        scene.shapes.push(Shape::Station { state: note.state, at: (MARGIN + 6, y - 4) });
        let about = if note.names.is_empty() { note.about } else { format!("{}: {}", note.names.join(", "), note.about) };
        let font = Font::Code(note.state);
        scene.text(font, (MARGIN + 20, y), font.fit(&about, width - 2 * MARGIN - 22));
        for line in wrapped(&note.text, columns) {
            y += 15;
            scene.text(Font::Text, (MARGIN + 20, y), line);
        }
    }
    y
}

/// Lines of at most this many characters, where words allow it.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
