//! Curves as SVG, drawn by `plotters`. Each one says its colours for light and dark surroundings itself, so that
//! it can stand in a page or alone.

use std::io;

use anyhow::{Context, Result};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;

/// The most points that a line has.
const MOST: usize = 2000;
/// The size of a chart in units of CSS, and how many steps of the drawing one has: `plotters` draws whole ones.
const SIZE: (u32, u32) = (440, 290);
const FINE: u32 = 4;

/// Colours: in light surroundings, and in dark ones.
type Ink = (RGBColor, &'static str);
const TEXT: Ink = (RGBColor(0x1c, 0x1c, 0x1c), "#ececea");
const SOFT: Ink = (RGBColor(0x6a, 0x6a, 0x6a), "#a3a29c");
const GRID: Ink = (RGBColor(0xe2, 0xe1, 0xdc), "#353431");
/// One for each line, told apart by those who see no red or no green, too (after Okabe and Ito).
const LINES: [Ink; 6] = [
    (RGBColor(0x0a, 0x6c, 0x74), "#59c2c9"),
    (RGBColor(0xc2, 0x54, 0x0a), "#f0a35e"),
    (RGBColor(0x5b, 0x4a, 0xb0), "#b3a6f5"),
    (RGBColor(0xa8, 0x2c, 0x6b), "#ee92c2"),
    (RGBColor(0x8a, 0x6d, 0x00), "#d9c34a"),
    (RGBColor(0x3d, 0x5a, 0x80), "#9dbce0"),
];

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend says of it.
    pub name: String,
    /// Its points from left to right; what is no number is left out.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// Its mean over a fiftieth of its points on either side of each, under another name: what is noise goes, and
    /// nothing comes later than it was.
    pub fn smoothed(&self, name: &str) -> Series {
        let points = finite(&self.points);
        let reach = points.len() / 50;
        let mut sums = vec![0.0];
        for (i, (_, y)) in points.iter().enumerate() {
            sums.push(sums[i] + y);
        }
        let mean = |i: usize| {
            // As many on both sides, or an end would be drawn towards the middle.
            let reach = reach.min(i).min(points.len() - 1 - i);
            let (from, to) = (i - reach, i + reach + 1);
            (points[i].0, (sums[to] - sums[from]) / (to - from) as f64)
        };
        Series {
            name: name.to_owned(),
            points: (0..points.len()).map(mean).collect(),
        }
    }
}

/// What a chart shows.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// What its vertical axis is, and the unit: `PSNR on Set5 (dB)`.
    pub title: String,
    /// What its horizontal axis is: `steps`.
    pub x: String,
    /// Whether the vertical axis is logarithmic: what is not above 0 is left out then.
    pub log: bool,
    /// Lines in strong colours, at most six.
    pub lines: Vec<Series>,
    /// A line in light, behind the others: what they are the mean of.
    pub behind: Option<Series>,
    /// Horizontal lines to compare with, and what they are: `("paper 38.28", 38.28)`.
    pub levels: Vec<(String, f64)>,
    /// The least that is drawn, unless all of it is lower.
    pub floor: Option<f64>,
}

impl Chart {
    /// The chart as a file of SVG.
    ///
    /// # Errors
    /// The engine cannot draw it.
    pub fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg)
            .with_context(|| format!("cannot draw the curve \"{}\"", self.title))?;
        let lines = self.lines.iter().map(|line| line.name.as_str());
        let levels = self.levels.iter().map(|(name, _)| name.as_str());
        let names: Vec<_> = lines.chain(levels).collect();
        let alt = format!("{} over {}: {}", self.title, self.x, names.join(", "));
        let head = format!(
            "<svg class=\"curve\" role=\"img\" aria-label=\"{}\" viewBox=",
            crate::page::escaped(&alt)
        );
        let (_, rest) = svg
            .split_once(" viewBox=")
            .context("a curve without a head")?;
        let (view, rest) = rest.split_once('>').context("a curve without a head")?;
        Ok(format!("{head}{view}>{}{rest}", style()))
    }

    /// The points of a line that can be shown.
    fn shown(&self, line: &Series) -> Vec<(f64, f64)> {
        let mut points = finite(&line.points);
        points.retain(|(_, y)| !self.log || *y > 0.0);
        thinned(&points, MOST)
    }

    fn draw(&self, svg: &mut String) -> Result<(), DrawingAreaErrorKind<io::Error>> {
        let mut lines: Vec<_> = self
            .lines
            .iter()
            .take(LINES.len())
            .map(|line| self.shown(line))
            .collect();
        // A point on the edge would look like a figure.
        let drawn = |y: f64| self.floor.is_none_or(|floor| y >= floor);
        if lines.iter().flatten().any(|point| drawn(point.1)) {
            lines
                .iter_mut()
                .for_each(|line| line.retain(|point| drawn(point.1)));
        }
        let behind = self
            .behind
            .as_ref()
            .map(|line| self.shown(line))
            .unwrap_or_default();
        let all = || lines.iter().chain([&behind]).flatten();
        let root = SVGBackend::with_string(svg, (SIZE.0 * FINE, SIZE.1 * FINE)).into_drawing_area();
        label(&root, &self.title, (4, 4), HPos::Left, TEXT)?;
        let Some((x_least, x_most)) = ends(all().map(|point| point.0)) else {
            label(&root, "no figures yet", (4, 40), HPos::Left, SOFT)?;
            return root.present();
        };
        let levels = self
            .levels
            .iter()
            .filter(|(_, y)| y.is_finite() && (!self.log || *y > 0.0));
        let high = all()
            .map(|point| point.1)
            .chain(levels.clone().map(|level| level.1));
        let (low, high) = ends(high).unwrap_or((0.0, 1.0));
        let x = Axis::new(x_least.min(0.0), x_most, false, 0.0);
        let y = Axis::new(low, high, self.log, 0.08);
        let (middle, sides) = (y.middle(), x.range());
        let legend = self.legend(&root)?;
        let mut chart = ChartBuilder::on(&root)
            .margin_top((if legend { 52 } else { 30 }) * FINE)
            .margin_right(14 * FINE)
            .x_label_area_size(44 * FINE)
            .y_label_area_size(68 * FINE)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .max_light_lines(0)
            .disable_x_mesh()
            .bold_line_style(GRID.0.stroke_width(FINE))
            .axis_style(SOFT.0.stroke_width(FINE))
            .set_all_tick_mark_size(5 * FINE)
            .label_style(font(SOFT))
            .axis_desc_style(font(SOFT))
            .x_desc(self.x.clone())
            .draw()?;
        chart.draw_series(LineSeries::new(
            behind,
            LINES[0].0.mix(0.3).stroke_width(FINE),
        ))?;
        for (name, level) in levels {
            let line = [(sides.start, *level), (sides.end, *level)];
            let style = SOFT.0.stroke_width(FINE);
            chart.draw_series(DashedLineSeries::new(line, 6 * FINE, 5 * FINE, style))?;
            // Curves mostly rise from the left: these are the corners that they leave free.
            let (side, corner) = match *level > middle {
                true => (HPos::Left, sides.start),
                false => (HPos::Right, sides.end),
            };
            let style = font(SOFT).pos(Pos::new(side, VPos::Bottom));
            let [dx, dy] = [if *level > middle { 6 } else { -6 }, -4].map(|n| n * FINE as i32);
            let text =
                EmptyElement::at((corner, *level)) + Text::new(name.clone(), (dx, dy), style);
            chart.draw_series([text])?;
        }
        for (points, ink) in lines.into_iter().zip(LINES) {
            let dot = if points.len() <= 60 { 3 * FINE } else { 0 };
            let style = ShapeStyle {
                color: ink.0.to_rgba(),
                filled: true,
                stroke_width: 2 * FINE,
            };
            chart.draw_series(LineSeries::new(points, style).point_size(dot))?;
        }
        root.present()
    }

    /// Draws what is which, if there is more than one; whether it did.
    fn legend(&self, root: &Drawing) -> Result<bool, DrawingAreaErrorKind<io::Error>> {
        let strong = self
            .lines
            .iter()
            .zip(LINES)
            .map(|(line, ink)| (line, ink.0.to_rgba()));
        let light = self.behind.iter().map(|line| (line, LINES[0].0.mix(0.3)));
        let all: Vec<_> = strong.chain(light).collect();
        if all.len() < 2 {
            return Ok(false);
        }
        let mut at = 4;
        for (line, ink) in all {
            let stroke = ShapeStyle {
                color: ink,
                filled: true,
                stroke_width: 3 * FINE,
            };
            let ends = [(at, 37), (at + 14, 37)].map(|(x, y)| (x * FINE as i32, y * FINE as i32));
            root.draw(&PathElement::new(ends.to_vec(), stroke))?;
            label(root, &line.name, (at + 19, 28), HPos::Left, SOFT)?;
            // How wide text becomes is the viewer's matter: this is what common fonts have at most.
            at += 34 + 8 * line.name.chars().count() as i32;
        }
        Ok(true)
    }
}

type Drawing<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// The letters of a chart, 14 units of CSS high.
fn font(ink: Ink) -> TextStyle<'static> {
    // The engine divides by this, as its measure of a font is another.
    let size = f64::from(14 * FINE) * 1.24;
    ("system-ui, sans-serif", size).into_font().color(&ink.0)
}

/// Text with its upper corner at units of CSS.
fn label(
    root: &Drawing,
    text: &str,
    at: (i32, i32),
    side: HPos,
    ink: Ink,
) -> Result<(), DrawingAreaErrorKind<io::Error>> {
    let style = font(ink).pos(Pos::new(side, VPos::Top));
    root.draw_text(text, &style, (at.0 * FINE as i32, at.1 * FINE as i32))
}

/// The colours in dark surroundings. An attribute of SVG gives way to a style.
fn style() -> String {
    let rule = |(RGBColor(r, g, b), dark): &Ink| {
        let light = format!("#{r:02X}{g:02X}{b:02X}");
        format!(
            ".curve [stroke=\"{light}\"]{{stroke:{dark}}}.curve [fill=\"{light}\"]{{fill:{dark}}}"
        )
    };
    let rules: String = [TEXT, SOFT, GRID].iter().chain(&LINES).map(rule).collect();
    format!("<style>@media (prefers-color-scheme:dark){{{rules}}}</style>")
}

fn finite(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let is_finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
    points.iter().filter(is_finite).copied().collect()
}

/// The least and the largest.
fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |ends, v| match ends {
        None => Some((v, v)),
        Some((low, high)) => Some((f64::min(low, v), f64::max(high, v))),
    })
}

/// At most `most` points: of each stretch the least and the largest, so that no peak is lost.
fn thinned(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    if points.len() <= most {
        return points.to_vec();
    }
    // The first and the last stay as they are.
    let inner = &points[1..points.len() - 1];
    let stretches = (most - 2) / 2;
    let mut kept = vec![points[0]];
    for i in 0..stretches {
        let stretch = &inner[i * inner.len() / stretches..(i + 1) * inner.len() / stretches];
        let indices = 0..stretch.len();
        let by_y = |a: &usize, b: &usize| stretch[*a].1.total_cmp(&stretch[*b].1);
        let (least, largest) = (indices.clone().min_by(by_y), indices.max_by(by_y));
        if let (Some(least), Some(largest)) = (least, largest) {
            kept.extend([least.min(largest), least.max(largest)].map(|i| stretch[i]));
        }
    }
    kept.push(points[points.len() - 1]);
    kept
}

#[cfg(test)]
mod tests;
