//! A scene as SVG. Colours stand in one style sheet, for light and for dark: a browser takes what its user prefers, in a page
//! and in an `<img>`; what knows no style sheets for dark shows the light one.

use svg::{
    Document, Node,
    node::{
        Text as Content,
        element::{Circle, Element, Group, Line, Path, Polygon, Rectangle, Style, Text},
    },
};

use super::scene::{Anchor, Font, Frame, Scene, Shape};
use crate::reach::State;

const STYLE: &str = include_str!("style.css");

/// Writes a scene.
pub fn write(scene: &Scene) -> String {
    let (width, height) = scene.size;
    let mut document = Document::new()
        .set("width", width)
        .set("height", height)
        .set("viewBox", format!("0 0 {width} {height}"))
        .set("role", "img")
        .add(titled("title", &scene.title))
        .add(Style::new(STYLE));
    for shape in &scene.shapes {
        add(&mut document, shape);
    }
    format!("{document}\n")
}

fn add(to: &mut Document, shape: &Shape) {
    match shape {
        Shape::Vpc(corners) => {
            let points: Vec<String> = corners.iter().map(|(x, y)| format!("{x},{y}")).collect();
            to.append(Polygon::new().set("class", "vpc").set("points", points.join(" ")));
        }
        Shape::Box { frame, at: (x, y, width, height), tip } => {
            let radius = if matches!(frame, Frame::Subnet | Frame::Outside) { 4 } else { 6 };
            let drawn = Rectangle::new().set("x", *x).set("y", *y).set("width", *width).set("height", *height).set("rx", radius);
            let drawn = drawn.set("class", frame_class(*frame));
            if tip.is_empty() {
                to.append(drawn);
            } else {
                to.append(Group::new().add(titled("title", tip)).add(drawn));
            }
        }
        Shape::Text { font, at: (x, y), anchor, text } => {
            let mut drawn = Text::new(text.as_str()).set("x", *x).set("y", *y).set("class", font_class(*font));
            match anchor {
                Anchor::Start => {}
                Anchor::Middle => drawn.assign("text-anchor", "middle"),
                Anchor::End => drawn.assign("text-anchor", "end"),
            }
            to.append(drawn);
        }
        Shape::Line { state, from, to: end } => {
            let drawn = Line::new().set("x1", from.0).set("y1", from.1).set("x2", end.0).set("y2", end.1);
            to.append(drawn.set("class", format!("way {}", state_class(*state))));
        }
        Shape::Arrow { state, at: (x, y), left } => {
            let back = if *left { 9 } else { -9 };
            let points = format!("{x},{y} {0},{1} {0},{2}", x + back, y - 5, y + 5);
            to.append(Polygon::new().set("class", format!("tip {}", state_class(*state))).set("points", points));
        }
        Shape::Station { state, at } => station(to, *state, *at),
    }
}

/// A dot; a cross or a question mark in it, where packets may not pass.
fn station(to: &mut Document, state: State, (x, y): (i32, i32)) {
    let radius = if state > State::Open { 6 } else { 3 };
    let class = format!("station {}", state_class(state));
    to.append(Circle::new().set("class", class).set("cx", x).set("cy", y).set("r", radius));
    let sign = match state {
        State::Blocked => format!("M{} {}l5 5m0 -5l-5 5", f64::from(x) - 2.5, f64::from(y) - 2.5),
        State::Unknown => format!("M{} {}q0 -2 2 -2q2 0 2 1.7q0 1.3 -2 2.3m0 1.7v.3", x - 2, f64::from(y) - 1.2),
        _ => return,
    };
    to.append(Path::new().set("class", "sign").set("d", sign));
}

fn titled(name: &str, text: &str) -> Element {
    let mut title = Element::new(name);
    title.append(Content::new(text));
    title
}

fn state_class(state: State) -> &'static str {
    match state {
        State::NotAsked | State::Open => "open",
        State::Unknown => "unknown",
        State::Blocked => "blocked",
    }
}

fn frame_class(frame: Frame) -> String {
    match frame {
        Frame::Canvas => "canvas".to_owned(),
        Frame::Subnet => "subnet".to_owned(),
        Frame::Outside => "outside".to_owned(),
        Frame::Thing => "thing".to_owned(),
        Frame::Replication => "thing replication".to_owned(),
        Frame::End(state) => format!("thing end {}", state_class(state)),
        Frame::Label(state) => format!("label {}", state_class(state)),
    }
}

fn font_class(font: Font) -> String {
    match font {
        Font::Title => "title".to_owned(),
        Font::Text => "text".to_owned(),
        Font::Name => "name".to_owned(),
        Font::Kind => "kind".to_owned(),
        Font::Id => "id".to_owned(),
        Font::Code(state) => format!("code {}", state_class(state)),
    }
}
