//! Drawings as SVG text: a light card, so that they can be read on white and on black.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

pub const INK: &str = "#24292f";
pub const GRAY: &str = "#8c959f";
pub const BLUE: &str = "#0969da";
pub const RED: &str = "#cf222e";
pub const GREEN: &str = "#1a7f37";
pub const ORANGE: &str = "#bc4c00";
/// Fills that dark text can be read on.
pub const PALE_BLUE: &str = "#ddf4ff";
pub const PALE_RED: &str = "#ffebe9";
pub const PALE_GREEN: &str = "#dafbe1";
pub const PALE_ORANGE: &str = "#fff1e5";

pub type Point = [f64; 2];

/// A drawing. Lengths are in pixels, y points down.
pub struct Svg {
    text: String,
}

impl Svg {
    /// An empty card. `title` is read out to those who do not see it.
    pub fn new(width: u32, height: u32, title: &str) -> Svg {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" font-family=\"sans-serif\" font-size=\"14\">\n\
             <title>{title}</title>\n\
             <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
             markerHeight=\"7\" orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8z\" fill=\"{INK}\"/>\
             </marker></defs>\n\
             <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#f6f8fa\"/>\n"
        );
        Svg { text }
    }

    fn push(&mut self, line: std::fmt::Arguments) {
        // Writing to a String does not fail.
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }

    /// A box with rounded corners.
    pub fn rect(&mut self, [x, y]: Point, [w, h]: Point, fill: &str, stroke: &str) {
        self.push(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"3\" fill=\"{fill}\" \
             stroke=\"{stroke}\"/>"
        ));
    }

    /// A filled circle.
    pub fn dot(&mut self, [x, y]: Point, radius: f64, fill: &str) {
        self.push(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{fill}\"/>"
        ));
    }

    /// Text; `anchor` is start, middle or end.
    pub fn text(&mut self, [x, y]: Point, anchor: &str, color: &str, text: &str) {
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{color}\">{text}</text>"
        ));
    }

    /// A line.
    pub fn line(&mut self, a: Point, b: Point, color: &str) {
        self.path(&[a, b], color, 1.0);
    }

    /// A line with a tip at its end.
    pub fn arrow(&mut self, [x1, y1]: Point, [x2, y2]: Point) {
        self.push(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{INK}\" \
             stroke-width=\"1.2\" marker-end=\"url(#tip)\"/>"
        ));
    }

    /// A line through all these points.
    pub fn path(&mut self, points: &[Point], color: &str, width: f64) {
        let points: Vec<_> = points
            .iter()
            .map(|[x, y]| format!("{x:.1},{y:.1}"))
            .collect();
        self.push(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\"/>",
            points.join(" ")
        ));
    }

    pub fn save(mut self, path: &Path) -> Result<()> {
        self.text.push_str("</svg>\n");
        std::fs::write(path, self.text).with_context(|| format!("writing {}", path.display()))
    }
}

/// The area of a plot, and the numbers at its edges.
pub struct Axes {
    /// Left upper corner and right lower corner.
    pub area: [Point; 2],
    pub x: [f64; 2],
    pub y: [f64; 2],
}

impl Axes {
    /// Where a place of the plot is in the drawing.
    pub fn at(&self, [x, y]: Point) -> Point {
        let [[left, top], [right, bottom]] = self.area;
        let across = (x - self.x[0]) / (self.x[1] - self.x[0]);
        let up = (y - self.y[0]) / (self.y[1] - self.y[0]);
        [left + across * (right - left), bottom - up * (bottom - top)]
    }

    /// The frame, with marks: numbers with their names, on each axis.
    pub fn draw(&self, svg: &mut Svg, x: &[(f64, String)], y: &[(f64, String)]) {
        let [[left, top], [right, bottom]] = self.area;
        svg.rect([left, top], [right - left, bottom - top], "#ffffff", GRAY);
        for (number, name) in x {
            let [at, _] = self.at([*number, self.y[0]]);
            svg.line([at, bottom], [at, bottom + 5.0], GRAY);
            svg.text([at, bottom + 20.0], "middle", INK, name);
        }
        for (number, name) in y {
            let [_, at] = self.at([self.x[0], *number]);
            svg.line([left - 5.0, at], [left, at], GRAY);
            svg.text([left - 8.0, at + 5.0], "end", INK, name);
        }
    }

    /// A curve; points outside of the area are left out.
    pub fn curve(&self, svg: &mut Svg, points: &[Point], color: &str) {
        let within = |v: f64, [low, high]: [f64; 2]| (low..=high).contains(&v);
        let inside = points
            .iter()
            .filter(|[x, y]| within(*x, self.x) && within(*y, self.y));
        let points: Vec<Point> = inside.map(|&p| self.at(p)).collect();
        svg.path(&points, color, 2.0);
    }
}
