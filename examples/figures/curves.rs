//! Figures that are computed: chapters 5 to 7.

use std::path::Path;

use anyhow::Result;
use nn::Schedule;
use nn::rng::SplitMix64;

use crate::Figure;
use crate::svg::*;

pub const FIGURES: &[Figure] = &[
    ("05_differences.svg", differences),
    ("06_layers.svg", layers),
    ("07_valley.svg", valley),
    ("07_schedule.svg", schedule),
];

/// The error of a central difference by its step.
fn differences(path: &Path) -> Result<()> {
    let mut svg = Svg::new(
        700,
        340,
        "The error of central differences by their step, in f32 and f64",
    );
    let axes = Axes {
        area: [[90.0, 40.0], [670.0, 280.0]],
        x: [-6.0, 0.0],
        y: [-12.0, 1.0],
    };
    let power = |n: i32| (f64::from(n), format!("1e{n}"));
    axes.draw(
        &mut svg,
        &(-6..=0).map(power).collect::<Vec<_>>(),
        &[-12, -9, -6, -3, 0].map(power),
    );
    // f(x) = x·tanh(x) at 1.2, and its derivative.
    let x = 1.2_f64;
    let exact = x.tanh() + x * (1.0 - x.tanh().powi(2));
    let steps = (0..=120).map(|i| -6.0 + f64::from(i) / 20.0);
    let curve = |difference: &dyn Fn(f64) -> f64| -> Vec<Point> {
        let error = |log: f64| (difference(10f64.powf(log)) - exact).abs();
        steps.clone().map(|log| [log, error(log).log10()]).collect()
    };
    let in_f64 = curve(&|h| ((x + h) * (x + h).tanh() - (x - h) * (x - h).tanh()) / (2.0 * h));
    let in_f32 = curve(&|h| {
        let (x, h) = (x as f32, h as f32);
        let f = |x: f32| x * x.tanh();
        f64::from((f(x + h) - f(x - h)) / (2.0 * h))
    });
    axes.curve(&mut svg, &in_f64, BLUE);
    axes.curve(&mut svg, &in_f32, RED);
    svg.text(
        [380.0, 25.0],
        "middle",
        INK,
        "error of (f(x + h) − f(x − h)) / 2h",
    );
    svg.text([380.0, 325.0], "middle", INK, "h");
    svg.text(
        [110.0, 70.0],
        "start",
        RED,
        "f32: rounding, divided by a small h",
    );
    svg.text([290.0, 265.0], "start", BLUE, "f64");
    svg.text([655.0, 70.0], "end", INK, "the h² that is left out");
    svg.save(path)
}

/// How large activations are after each of 16 layers, by the size of the first weights.
fn layers(path: &Path) -> Result<()> {
    let mut svg = Svg::new(700, 340, "The size of activations after each of 16 layers");
    let (depth, c) = (16, 128);
    let axes = Axes {
        area: [[90.0, 40.0], [500.0, 280.0]],
        x: [0.0, depth as f64],
        y: [-12.0, 8.0],
    };
    let power = |n: i32| (f64::from(n), format!("1e{n}"));
    let marks: Vec<_> = (0..=depth)
        .step_by(4)
        .map(|n| (n as f64, n.to_string()))
        .collect();
    axes.draw(&mut svg, &marks, &[-12, -8, -4, 0, 4, 8].map(power));
    let deviation = |row: &[f64]| {
        let mean = row.iter().sum::<f64>() / c as f64;
        (row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / c as f64).sqrt()
    };
    let root = (c as f64).sqrt();
    for (i, (std, norm, color, name)) in [
        (3.0 / root, false, RED, "std 3/√K: grows"),
        (1.0 / root, false, ORANGE, "std 1/√K: fades slowly"),
        (0.5 / root, false, BLUE, "std 0.5/√K: fades"),
        (0.5 / root, true, GREEN, "… with LayerNorm"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut rng = SplitMix64::new(1);
        // Nearly normal: the sum of twelve uniform numbers has variance 1.
        let mut normal = || {
            (0..12)
                .map(|_| (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64)
                .sum::<f64>()
                - 6.0
        };
        let mut row: Vec<f64> = (0..c).map(|_| normal()).collect();
        let mut sizes = vec![[0.0, deviation(&row).log10()]];
        for layer in 1..=depth {
            let dot = |_| row.iter().map(|x| x * std * normal()).sum::<f64>();
            let next: Vec<f64> = (0..c).map(dot).collect();
            row = next
                .iter()
                .map(|x| x * 0.5 * (1.0 + (0.797_884_56 * (x + 0.044_715 * x.powi(3))).tanh()))
                .collect();
            if norm {
                let (mean, deviation) = (row.iter().sum::<f64>() / c as f64, deviation(&row));
                row.iter_mut().for_each(|x| *x = (*x - mean) / deviation);
            }
            sizes.push([layer as f64, deviation(&row).log10()]);
        }
        axes.curve(&mut svg, &sizes, color);
        svg.text([515.0, 70.0 + 30.0 * i as f64], "start", color, name);
    }
    svg.text(
        [295.0, 25.0],
        "middle",
        INK,
        "deviation of 128 activations: linear layer, GELU",
    );
    svg.text([295.0, 325.0], "middle", INK, "layer");
    svg.save(path)
}

/// Gradient descent and Adam in a valley that is 50 times steeper across than along.
fn valley(path: &Path) -> Result<()> {
    let mut svg = Svg::new(700, 330, "Gradient descent and Adam in a narrow valley");
    let axes = Axes {
        area: [[60.0, 40.0], [670.0, 270.0]],
        x: [-10.0, 2.0],
        y: [-2.2, 2.2],
    };
    let mark = |n: i32| (f64::from(n), n.to_string());
    axes.draw(
        &mut svg,
        &[-10, -8, -6, -4, -2, 0, 2].map(mark),
        &[-2, -1, 0, 1, 2].map(mark),
    );
    let slope = |[x, y]: Point| [0.04 * x, 2.0 * y]; // of 0.02·x² + y²
    for level in [0.05, 0.2, 0.5, 1.0, 2.0_f64, 4.0] {
        for side in [-1.0, 1.0] {
            let at = |turn: i32| {
                let (sin, cos) = (f64::from(turn) / 100.0 * std::f64::consts::PI).sin_cos();
                [cos * (level / 0.02_f64).sqrt(), side * sin * level.sqrt()]
            };
            axes.curve(&mut svg, &(0..=100).map(at).collect::<Vec<_>>(), "#d0d7de");
        }
    }
    let start = [-9.0, 1.8];
    let steps = 60;
    let mut at = start;
    let mut descent = vec![at];
    for _ in 0..steps {
        let g = slope(at);
        at = [at[0] - 0.9 * g[0], at[1] - 0.9 * g[1]];
        descent.push(at);
    }
    let (mut at, mut m, mut v) = (start, [0.0; 2], [0.0; 2]);
    let mut adam = vec![at];
    for t in 1..=steps {
        let g = slope(at);
        for i in 0..2 {
            m[i] = 0.9 * m[i] + 0.1 * g[i];
            v[i] = 0.99 * v[i] + 0.01 * g[i] * g[i];
            let (m, v) = (
                m[i] / (1.0 - 0.9_f64.powi(t)),
                v[i] / (1.0 - 0.99_f64.powi(t)),
            );
            at[i] -= 0.2 * m / (v.sqrt() + 1e-8);
        }
        adam.push(at);
    }
    for (points, color) in [(&descent, RED), (&adam, BLUE)] {
        axes.curve(&mut svg, points, color);
        points.iter().for_each(|&p| svg.dot(axes.at(p), 2.5, color));
    }
    svg.dot(axes.at([0.0, 0.0]), 4.0, GREEN);
    svg.text([60.0, 25.0], "start", INK, "0.02·x² + y², 60 steps");
    svg.text([480.0, 25.0], "start", RED, "gradient descent");
    svg.text([620.0, 25.0], "start", BLUE, "Adam");
    svg.text(
        [365.0, 318.0],
        "middle",
        INK,
        "Across, the walls limit the steps; along, they are 50 times too short.",
    );
    svg.save(path)
}

/// Warm-up and half a cosine, as examples/05_training.rs has them.
fn schedule(path: &Path) -> Result<()> {
    let mut svg = Svg::new(
        700,
        260,
        "A learning rate that rises for 20 steps and falls along half a cosine",
    );
    let axes = Axes {
        area: [[90.0, 30.0], [670.0, 205.0]],
        x: [0.0, 600.0],
        y: [0.0, 0.11],
    };
    let step = |n: i32| (f64::from(n), n.to_string());
    let rate = |n: i32| (f64::from(n) / 100.0, format!("{:.2}", f64::from(n) / 100.0));
    axes.draw(
        &mut svg,
        &[0, 20, 200, 400, 600].map(step),
        &[0, 5, 10].map(rate),
    );
    let then = Schedule::Cosine {
        lr: 0.1,
        floor: 1e-4,
        iterations: 600,
    };
    let rates = Schedule::Warmup {
        steps: 20,
        then: Box::new(then),
    };
    let curve: Vec<Point> = (0..=600)
        .map(|done| [done as f64, rates.lr(done)])
        .collect();
    axes.curve(&mut svg, &curve, BLUE);
    svg.text([380.0, 245.0], "middle", INK, "steps done");
    svg.save(path)
}
