//! Figures of chapters 8, 9 and 11: convolution, attention and the network.

use std::path::Path;

use anyhow::Result;
use nn::rng::SplitMix64;

use crate::Figure;
use crate::svg::*;

pub const FIGURES: &[Figure] = &[
    ("08_shuffle.svg", shuffle),
    ("09_online.svg", online),
    ("11_network.svg", network),
];

/// Eight channels of one pixel become two channels of four.
fn shuffle(path: &Path) -> Result<()> {
    let mut svg = Svg::new(
        700,
        300,
        "A pixel shuffle by 2: eight channels of a pixel become two channels of 2×2 pixels",
    );
    let fills = [PALE_BLUE, PALE_RED, PALE_GREEN, PALE_ORANGE];
    svg.text(
        [130.0, 30.0],
        "middle",
        INK,
        "before: one pixel, [1, 1, 2·2²]",
    );
    svg.text([525.0, 30.0], "middle", INK, "after: 2×2 pixels, [2, 2, 2]");
    for channel in 0..8 {
        let [x, y] = [60.0, 45.0 + 29.0 * channel as f64];
        svg.rect([x, y], [140.0, 27.0], fills[channel % 4], INK);
        let (c, i, j) = (channel / 4, channel / 2 % 2, channel % 2);
        let name = format!("{channel} = {c}·4 + {i}·2 + {j}");
        svg.text([x + 70.0, y + 18.0], "middle", INK, &name);
    }
    for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let [x, y] = [370.0 + 160.0 * j as f64, 60.0 + 110.0 * i as f64];
        svg.rect([x, y], [150.0, 100.0], fills[2 * i + j], INK);
        svg.text(
            [x + 75.0, y + 24.0],
            "middle",
            GRAY,
            &format!("row {i}, column {j}"),
        );
        for c in 0..2 {
            let from = 4 * c + 2 * i + j;
            let line = format!("channel {c}: from {from}");
            svg.text([x + 75.0, y + 52.0 + 24.0 * c as f64], "middle", INK, &line);
        }
    }
    svg.arrow([220.0, 165.0], [360.0, 165.0]);
    svg.text([290.0, 155.0], "middle", INK, "nothing is");
    svg.text([290.0, 185.0], "middle", INK, "computed");
    svg.save(path)
}

/// What the online softmax knows after each key, beside what it will be in the end.
fn online(path: &Path) -> Result<()> {
    let mut svg = Svg::new(
        700,
        380,
        "The online softmax over 48 keys: scores, the largest so far, and the result",
    );
    let mut rng = SplitMix64::new(4);
    let mut uniform = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let keys: Vec<[f64; 2]> = (0..48)
        .map(|j| {
            [
                8.0 * uniform() - 4.0 + j as f64 / 12.0,
                2.0 * uniform() - 1.0,
            ]
        })
        .collect();
    let (mut top, mut total, mut sum) = (f64::NEG_INFINITY, 0.0, 0.0);
    let (mut tops, mut lses, mut means) = (Vec::new(), Vec::new(), Vec::new());
    for (j, &[score, value]) in keys.iter().enumerate() {
        let raised = top.max(score);
        let (shrink, weight) = ((top - raised).exp(), (score - raised).exp());
        total = total * shrink + weight;
        sum = sum * shrink + weight * value;
        let x = j as f64;
        tops.extend([[x, top.max(-5.0)], [x, raised]]);
        top = raised;
        lses.push([x, top + total.ln()]);
        means.push([x, sum / total]);
    }
    let scores = Axes {
        area: [[70.0, 40.0], [680.0, 200.0]],
        x: [-1.0, 48.0],
        y: [-5.0, 11.0],
    };
    let results = Axes {
        area: [[70.0, 240.0], [680.0, 330.0]],
        x: [-1.0, 48.0],
        y: [-1.0, 1.0],
    };
    let mark = |n: i32| (f64::from(n), n.to_string());
    scores.draw(&mut svg, &[], &[-4, 0, 4, 8].map(mark));
    results.draw(
        &mut svg,
        &[0, 12, 24, 36, 47].map(mark),
        &[-1, 0, 1].map(mark),
    );
    for (j, &[score, _]) in keys.iter().enumerate() {
        svg.dot(scores.at([j as f64, score]), 3.0, GRAY);
    }
    scores.curve(&mut svg, &tops, RED);
    scores.curve(&mut svg, &lses, BLUE);
    results.curve(&mut svg, &means, GREEN);
    svg.text([85.0, 60.0], "start", GRAY, "score of each key");
    svg.text([215.0, 60.0], "start", RED, "largest so far");
    svg.text([325.0, 60.0], "start", BLUE, "log-sum-exp so far");
    svg.text(
        [330.0, 258.0],
        "start",
        GREEN,
        "y so far: at the last key, the attention",
    );
    svg.text([375.0, 368.0], "middle", INK, "key");
    svg.save(path)
}

/// The network from left to right, and one block of it.
fn network(path: &Path) -> Result<()> {
    let mut svg = Svg::new(
        700,
        400,
        "CATANet: first_conv, eight blocks, the upsampler; and a block: TAB, LRSA, mid_conv",
    );
    let node = |svg: &mut Svg, [x, y]: Point, w: f64, fill: &str, lines: &[&str]| {
        let h = 16.0 + 18.0 * lines.len() as f64;
        svg.rect([x, y], [w, h], fill, INK);
        for (i, line) in lines.iter().enumerate() {
            svg.text(
                [x + w / 2.0, y + 22.0 + 18.0 * i as f64],
                "middle",
                INK,
                line,
            );
        }
    };
    svg.text([20.0, 24.0], "start", GRAY, "the network");
    node(&mut svg, [20.0, 60.0], 60.0, "#ffffff", &["image", "3"]);
    node(
        &mut svg,
        [105.0, 60.0],
        85.0,
        PALE_BLUE,
        &["first_conv", "40"],
    );
    for (i, x) in [215.0, 285.0, 375.0].into_iter().enumerate() {
        let name = ["block 0", "block 1", "block 7"][i];
        node(&mut svg, [x, 60.0], 60.0, PALE_GREEN, &[name, "40"]);
    }
    svg.text([360.0, 90.0], "middle", INK, "…");
    node(
        &mut svg,
        [480.0, 60.0],
        80.0,
        PALE_BLUE,
        &["upconv", "40·s²"],
    );
    node(
        &mut svg,
        [590.0, 60.0],
        90.0,
        PALE_BLUE,
        &["last_conv", "3"],
    );
    for (from, to) in [
        (80.0, 105.0),
        (190.0, 215.0),
        (275.0, 285.0),
        (435.0, 452.0),
        (466.0, 480.0),
        (560.0, 590.0),
    ] {
        svg.arrow([from, 86.0], [to, 86.0]);
    }
    svg.text([459.0, 91.0], "middle", INK, "+");
    svg.path(&[[202.0, 86.0], [202.0, 40.0], [459.0, 40.0]], INK, 1.2);
    svg.arrow([459.0, 40.0], [459.0, 76.0]);
    svg.path(&[[50.0, 112.0], [50.0, 140.0], [635.0, 140.0]], INK, 1.2);
    svg.arrow([635.0, 140.0], [635.0, 114.0]);
    svg.text(
        [340.0, 156.0],
        "middle",
        GRAY,
        "the image, enlarged bilinearly, is added at the end",
    );
    svg.text([575.0, 50.0], "middle", GRAY, "pixel shuffle");

    svg.text([20.0, 195.0], "start", GRAY, "a block");
    node(&mut svg, [20.0, 262.0], 44.0, "#ffffff", &["f"]);
    let parts: [(f64, f64, &str, &[&str]); 5] = [
        (
            94.0,
            150.0,
            PALE_ORANGE,
            &["norm, sort,", "groups + centres", "IASA + IRCA"],
        ),
        (269.0, 90.0, PALE_RED, &["ConvFFN"]),
        (384.0, 110.0, PALE_ORANGE, &["norm,", "windows"]),
        (519.0, 80.0, PALE_RED, &["ConvFFN"]),
        (624.0, 46.0, PALE_BLUE, &["mid", "conv"]),
    ];
    for (x, w, fill, lines) in parts {
        let top = 279.0 - 9.0 * lines.len() as f64 - 8.0;
        node(&mut svg, [x, top], w, fill, lines);
    }
    for (from, to) in [
        (64.0, 94.0),
        (262.0, 269.0),
        (377.0, 384.0),
        (512.0, 519.0),
        (617.0, 624.0),
    ] {
        svg.arrow([from, 279.0], [to, 279.0]);
    }
    // Around each part what comes in goes to a sum behind it.
    for (from, end, to) in [
        (78.0, 244.0, 256.0),
        (265.0, 359.0, 371.0),
        (380.0, 494.0, 506.0),
        (515.0, 599.0, 611.0),
    ] {
        svg.path(&[[from, 279.0], [from, 225.0], [to, 225.0]], INK, 1.2);
        svg.arrow([to, 225.0], [to, 270.0]);
        svg.path(&[[end, 279.0], [to - 6.0, 279.0]], INK, 1.2);
        svg.text([to, 284.0], "middle", INK, "+");
    }
    svg.text(
        [227.0, 215.0],
        "middle",
        GRAY,
        "TAB: every part is added to what comes in",
    );
    svg.text([490.0, 215.0], "middle", GRAY, "LRSA: the same");
    svg.path(&[[42.0, 296.0], [42.0, 350.0], [686.0, 350.0]], INK, 1.2);
    svg.arrow([686.0, 350.0], [686.0, 288.0]);
    svg.path(&[[670.0, 279.0], [680.0, 279.0]], INK, 1.2);
    svg.text([686.0, 284.0], "middle", INK, "+");
    svg.text(
        [350.0, 368.0],
        "middle",
        GRAY,
        "the block's input is added to mid_conv's output",
    );
    svg.save(path)
}
