//! Figures of chapters 12 to 14: what is measured, and how far it can be trusted.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use catanet::data::dead_leaves::scene;
use catanet::imresize::{downscale, upscale};
use catanet::metrics::psnr_y;
use nn::rng::SplitMix64;

use crate::Figure;
use crate::svg::*;

pub const FIGURES: &[Figure] = &[
    ("12_protocols.svg", protocols),
    ("12_weights.svg", weights),
    ("13_orders.svg", orders),
    ("14_path.svg", along_a_path),
];

/// The PSNR of one and the same picture by the border that is cut, on luma and on all channels.
fn protocols(path: &Path) -> Result<()> {
    let mut svg = Svg::new(700, 330, "PSNR of one picture by protocol");
    let side = 128;
    let truth = scene(21, 4, side, side);
    let output = upscale(&downscale(&truth, 2), 2);
    let [truth, output] = [truth, output].map(|image| image.to_f32());
    let gray = |x: &[f32], c: usize| -> Vec<f32> { x.chunks(3).flat_map(|p| [p[c]; 3]).collect() };
    let borders: Vec<usize> = (0..=12).collect();
    let luma = |border: usize| psnr_y(&output, &truth, side, side, border);
    // Of a gray picture, luma is 219/255 of the value. All channels: the mean of their squares.
    let rgb = |border: usize| -> Option<f64> {
        let square = |c| {
            let db = psnr_y(&gray(&output, c), &gray(&truth, c), side, side, border)?;
            Some((10f64.powf(-db / 10.0) - 1e-8) * (255.0 / 219.0_f64).powi(2))
        };
        Some(-10.0 * ((square(0)? + square(1)? + square(2)?) / 3.0).log10())
    };
    let curve = |of: &dyn Fn(usize) -> Option<f64>| -> Result<Vec<Point>> {
        let point = |&b: &usize| Some([b as f64, of(b)?]);
        borders
            .iter()
            .map(|b| point(b).context("a border that leaves nothing"))
            .collect()
    };
    let (luma, rgb) = (curve(&luma)?, curve(&rgb)?);
    let all = luma.iter().chain(&rgb).map(|p| p[1]);
    let (low, high) = (
        all.clone().fold(f64::MAX, f64::min),
        all.fold(f64::MIN, f64::max),
    );
    let axes = Axes {
        area: [[70.0, 40.0], [680.0, 270.0]],
        x: [0.0, 12.0],
        y: [low.floor(), high.ceil()],
    };
    let mark = |n: usize| (n as f64, n.to_string());
    let marks: Vec<_> = (low.floor() as usize..=high.ceil() as usize)
        .map(mark)
        .collect();
    axes.draw(&mut svg, &[0, 2, 4, 8, 12].map(mark), &marks);
    axes.curve(&mut svg, &luma, BLUE);
    axes.curve(&mut svg, &rgb, RED);
    for (points, color, name) in [(&luma, BLUE, "on luma"), (&rgb, RED, "on all channels")] {
        let [x, y] = axes.at(points[9]);
        svg.text([x, y - 10.0], "middle", color, name);
    }
    svg.text(
        [375.0, 25.0],
        "middle",
        INK,
        "PSNR in dB of one picture, enlarged ×2 by bicubic interpolation",
    );
    svg.text([375.0, 315.0], "middle", INK, "pixels cut from every edge");
    svg.save(path)
}

/// How far the shipped weights were above bicubic while they were made, by `weights/curve.csv`.
fn weights(path: &Path) -> Result<()> {
    let title = "The shipped weights on photographs that they were not trained on";
    let mut svg = Svg::new(700, 330, title);
    let mut table = Vec::new(); // scale, crops seen, PSNR of the weights and of bicubic
    for line in include_str!("../../weights/curve.csv").lines().skip(1) {
        let row: Vec<f64> = line.split(',').map(str::parse).collect::<Result<_, _>>()?;
        ensure!(row.len() == 4, "weights/curve.csv: {line}");
        table.push(row);
    }
    let most = table.iter().map(|row| row[1]).fold(0.0, f64::max);
    let axes = Axes {
        area: [[70.0, 40.0], [640.0, 270.0]],
        x: [0.0, 1.1 * most],
        y: [0.0, 3.0],
    };
    let thousands = (4..=(most / 1000.0) as u32).step_by(4);
    let mut marks = vec![(0.0, "0".to_owned())];
    marks.extend(thousands.map(|n| (f64::from(1000 * n), format!("{n},000"))));
    let heights = [0, 1, 2, 3].map(|n| (f64::from(n), format!("+{n} dB")));
    axes.draw(&mut svg, &marks, &heights);
    for (scale, color) in [(2.0, BLUE), (3.0, GREEN), (4.0, ORANGE)] {
        let rows = table.iter().filter(|row| row[0] == scale);
        let points: Vec<Point> = rows.map(|row| [row[1], row[2] - row[3]]).collect();
        axes.curve(&mut svg, &points, color);
        for &point in &points {
            svg.dot(axes.at(point), 3.0, color);
        }
        if let Some(&last) = points.last() {
            let [x, y] = axes.at(last);
            svg.text([x + 8.0, y + 5.0], "start", color, &format!("×{scale}"));
        }
    }
    let heading = "dB above bicubic on 20 tiles of photographs that were held out";
    svg.text([355.0, 25.0], "middle", INK, heading);
    svg.text([355.0, 315.0], "middle", INK, "crops that the training saw");
    svg.save(path)
}

/// The same 10,000 numbers in f32, added up in 2,000 orders.
fn orders(path: &Path) -> Result<()> {
    let mut svg = Svg::new(
        700,
        330,
        "The sum of the same 10,000 numbers, added in 2,000 orders",
    );
    let mut rng = SplitMix64::new(7);
    let mut numbers: Vec<f32> = (0..10_000)
        .map(|_| (rng.next_u64() >> 40) as f32 / (1 << 24) as f32)
        .collect();
    let exact: f64 = numbers.iter().map(|&x| f64::from(x)).sum();
    let step = f64::from(f32::EPSILON) * 4096.0; // between floats from 4096 to 8192
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..2_000 {
        for i in (1..numbers.len()).rev() {
            numbers.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
        }
        let sum: f32 = numbers.iter().sum();
        let off = ((f64::from(sum) - exact) / step).round() as i64;
        *counts.entry(off).or_insert(0_u32) += 1;
    }
    let reach = counts.keys().map(|off| off.abs()).max().unwrap_or(1).max(1) as f64;
    let most = f64::from(counts.values().copied().max().unwrap_or(1));
    let axes = Axes {
        area: [[70.0, 40.0], [680.0, 270.0]],
        x: [-reach - 1.0, reach + 1.0],
        y: [0.0, 1.1 * most],
    };
    let marks = [-40, -30, -20, -10, 0, 10, 20, 30, 40].map(|n| (f64::from(n), format!("{n:+}")));
    let inside = |(n, _): &(f64, String)| n.abs() <= reach;
    let marks: Vec<_> = marks.into_iter().filter(inside).collect();
    axes.draw(
        &mut svg,
        &marks,
        &[(0.0, "0".to_owned()), (most, format!("{most}"))],
    );
    for (off, count) in &counts {
        let [x, top] = axes.at([*off as f64, f64::from(*count)]);
        let [_, bottom] = axes.at([0.0, 0.0]);
        svg.path(&[[x, bottom], [x, top]], BLUE, 2.0);
    }
    let title = format!(
        "2,000 orders of the same 10,000 numbers: {} different sums in f32",
        counts.len()
    );
    svg.text([375.0, 25.0], "middle", INK, &title);
    svg.text(
        [375.0, 315.0],
        "middle",
        INK,
        "distance from the exact sum, in steps between neighbouring floats",
    );
    svg.save(path)
}

/// Why a gradient at the end of a path says less than the integral along it.
fn along_a_path(path: &Path) -> Result<()> {
    let mut svg = Svg::new(
        700,
        330,
        "A detector that is saturated: its slope at the picture, and along the path",
    );
    let axes = Axes {
        area: [[70.0, 40.0], [630.0, 270.0]],
        x: [0.0, 1.0],
        y: [0.0, 1.2],
    };
    let f = |a: f64| (5.0 * a).tanh();
    let mark = |n: f64| (n, format!("{n}"));
    let ends = [(0.0, "blurred".to_owned()), (1.0, "the picture".to_owned())];
    axes.draw(&mut svg, &ends, &[0.0, 0.5, 1.0].map(mark));
    let curve: Vec<Point> = (0..=100)
        .map(|i| f64::from(i) / 100.0)
        .map(|a| [a, f(a)])
        .collect();
    let steps = 8;
    for step in 0..steps {
        let (from, to) = (
            f64::from(step) / f64::from(steps),
            f64::from(step + 1) / f64::from(steps),
        );
        let slope = 5.0 * (1.0 - f((from + to) / 2.0).powi(2));
        let start = f(from);
        let line = [
            [from, start],
            [to, start],
            [to, start + slope * (to - from)],
        ];
        svg.path(&line.map(|p| axes.at(p)), ORANGE, 1.5);
    }
    axes.curve(&mut svg, &curve, BLUE);
    let at = axes.at([0.8, f(0.8)]);
    svg.text(
        [at[0], at[1] - 14.0],
        "middle",
        BLUE,
        "slope at the picture: nearly 0",
    );
    let at = axes.at([0.27, 0.45]);
    svg.text(
        at,
        "start",
        ORANGE,
        "slope times step, added up: all of the rise",
    );
    svg.text(
        [350.0, 25.0],
        "middle",
        INK,
        "what the detector says along the path",
    );
    svg.save(path)
}
