//! Figures that are drawn: chapters 1 to 4.

use std::path::Path;

use anyhow::Result;

use crate::Figure;
use crate::svg::*;

pub const FIGURES: &[Figure] = &[
    ("01_tape.svg", tape),
    ("02_row_major.svg", row_major),
    ("03_invocations.svg", invocations),
    ("04_loads.svg", loads),
];

/// y = (2a − b²)·a: values on the way there, gradients on the way back.
fn tape(path: &Path) -> Result<()> {
    let mut svg = Svg::new(
        700,
        300,
        "The tape of y = (a + a − b·b)·a with values and gradients",
    );
    let (a, b) = (3.0, 2.0);
    let (s, p) = (a + a, b * b);
    let d = s - p;
    let y = d * a;
    let (dy, dd) = (1.0, a);
    let (ds, dp) = (dd, -dd);
    let (da, db) = (ds + ds + d * dy, 2.0 * b * dp);
    let nodes = [
        ([20.0, 60.0], "a", a, da),
        ([20.0, 190.0], "b", b, db),
        ([190.0, 60.0], "s = a + a", s, ds),
        ([190.0, 190.0], "p = b·b", p, dp),
        ([370.0, 125.0], "d = s − p", d, dd),
        ([550.0, 60.0], "y = d·a", y, dy),
    ];
    for ([x, top], name, value, gradient) in nodes {
        svg.rect([x, top], [130.0, 76.0], "#ffffff", INK);
        svg.text([x + 65.0, top + 22.0], "middle", INK, name);
        svg.text(
            [x + 65.0, top + 44.0],
            "middle",
            BLUE,
            &format!("value {value}"),
        );
        svg.text(
            [x + 65.0, top + 65.0],
            "middle",
            RED,
            &format!("gradient {gradient}"),
        );
    }
    for (from, to, label, at) in [
        (
            [150.0, 98.0],
            [190.0, 98.0],
            "1 + 1".to_owned(),
            [170.0, 90.0],
        ),
        (
            [150.0, 228.0],
            [190.0, 228.0],
            format!("{b} + {b}"),
            [170.0, 220.0],
        ),
        (
            [320.0, 98.0],
            [370.0, 150.0],
            "1".to_owned(),
            [352.0, 115.0],
        ),
        (
            [320.0, 228.0],
            [370.0, 176.0],
            "−1".to_owned(),
            [355.0, 222.0],
        ),
        (
            [500.0, 163.0],
            [550.0, 115.0],
            format!("{a}"),
            [516.0, 132.0],
        ),
    ] {
        svg.arrow(from, to);
        svg.text(at, "middle", GREEN, &label);
    }
    svg.path(&[[85.0, 60.0], [85.0, 35.0], [615.0, 35.0]], INK, 1.2);
    svg.arrow([615.0, 35.0], [615.0, 60.0]);
    svg.text([350.0, 28.0], "middle", GREEN, &format!("{d}"));
    svg.text(
        [350.0, 288.0],
        "middle",
        INK,
        "Values to the right; gradients to the left, times the derivative at each arrow.",
    );
    svg.save(path)
}

/// A tensor [2, 3, 2] as a picture, and as its buffer.
fn row_major(path: &Path) -> Result<()> {
    let mut svg = Svg::new(
        700,
        300,
        "A picture of 2 rows, 3 columns and 2 channels, and its buffer",
    );
    let (rows, columns, channels) = (2, 3, 2);
    let fills = [PALE_BLUE, PALE_ORANGE];
    svg.text(
        [20.0, 28.0],
        "start",
        INK,
        "[H, W, C] = [2, 3, 2]: rows of pixels, each pixel its channels",
    );
    for place in 0..rows * columns * channels {
        let (y, x, c) = (
            place / (columns * channels),
            place / channels % columns,
            place % channels,
        );
        let corner = [
            120.0 + 160.0 * x as f64 + 60.0 * c as f64,
            45.0 + 62.0 * y as f64,
        ];
        svg.rect(corner, [60.0, 42.0], fills[y], INK);
        let index = format!("{y}, {x}, {c}");
        svg.text([corner[0] + 30.0, corner[1] + 27.0], "middle", INK, &index);
        let corner = [20.0 + 55.0 * place as f64, 215.0];
        svg.rect(corner, [55.0, 42.0], fills[y], INK);
        svg.text([corner[0] + 27.5, corner[1] + 27.0], "middle", INK, &index);
        svg.text(
            [corner[0] + 27.5, corner[1] + 60.0],
            "middle",
            GRAY,
            &place.to_string(),
        );
    }
    svg.text(
        [20.0, 203.0],
        "start",
        INK,
        "the buffer: place = (y·W + x)·C + c",
    );
    svg.save(path)
}

/// A picture of 36×18 under workgroups of 8×8, and the memories.
fn invocations(path: &Path) -> Result<()> {
    let mut svg = Svg::new(
        700,
        330,
        "Workgroups over a picture, and the memories of a GPU",
    );
    let (width, height, side, pixel) = (36_usize, 18_usize, 8, 9.0);
    svg.text(
        [20.0, 28.0],
        "start",
        INK,
        "36×18 pixels, 5×3 workgroups of 8×8",
    );
    let origin = [20.0, 45.0];
    let of = |x: usize, y: usize| [origin[0] + pixel * x as f64, origin[1] + pixel * y as f64];
    let (across, down) = (width.div_ceil(side), height.div_ceil(side));
    svg.rect(
        of(0, 0),
        [pixel * (across * side) as f64, pixel * (down * side) as f64],
        PALE_RED,
        RED,
    );
    svg.rect(
        of(0, 0),
        [pixel * width as f64, pixel * height as f64],
        PALE_BLUE,
        BLUE,
    );
    for group in 0..across * down {
        let [x, y] = of(group % across * side, group / across * side);
        let length = pixel * side as f64;
        svg.path(
            &[
                [x, y],
                [x + length, y],
                [x + length, y + length],
                [x, y + length],
                [x, y],
            ],
            INK,
            1.0,
        );
        svg.text(
            [x + length / 2.0, y + length / 2.0 + 5.0],
            "middle",
            INK,
            &format!("{}, {}", group % across, group / across),
        );
    }
    svg.text(
        [20.0, 290.0],
        "start",
        RED,
        "Invocations beyond the edge return at once.",
    );
    for (i, (name, fill, lines)) in [
        (
            "registers",
            PALE_GREEN,
            ["of one invocation: its variables", "at once"],
        ),
        (
            "workgroup memory",
            PALE_ORANGE,
            ["of the invocations of one workgroup", "some KiB, near"],
        ),
        (
            "buffers (storage)",
            PALE_RED,
            [
                "of all, and of the host's copies",
                "GiB, far: hundreds of cycles",
            ],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let y = 45.0 + 92.0 * i as f64;
        svg.rect([410.0, y], [270.0, 74.0], fill, INK);
        svg.text([545.0, y + 20.0], "middle", INK, name);
        svg.text([545.0, y + 42.0], "middle", INK, lines[0]);
        svg.text([545.0, y + 62.0], "middle", INK, lines[1]);
    }
    svg.text([410.0, 28.0], "start", INK, "where a kernel's numbers are");
    svg.save(path)
}

/// What is loaded for the tiles of one product, in its three teaching kernels.
fn loads(path: &Path) -> Result<()> {
    let mut svg = Svg::new(
        700,
        320,
        "Loads for a multiply-add in three kernels of one product",
    );
    // The tile of y that shares what is loaded: rows, columns, and what shares it.
    let steps = [
        ("01 naive", 1, 1, "an invocation makes one y"),
        ("02 tiled", 16, 16, "a workgroup makes 16×16"),
        ("03 registers", 64, 48, "64×48, of 8×6 each"),
    ];
    for (i, (name, rows, columns, what)) in steps.into_iter().enumerate() {
        let left = 25.0 + 228.0 * i as f64;
        svg.text([left, 28.0], "start", INK, name);
        // A pixel of the drawing is one number of the matrices; y is 96 wide, as in the benchmark.
        let y = [left + 60.0, 95.0];
        svg.rect(y, [96.0, 128.0], "#ffffff", INK);
        svg.rect([left, y[1]], [40.0, 128.0], "#ffffff", INK);
        svg.rect([y[0], 45.0], [96.0, 40.0], "#ffffff", INK);
        let (h, w) = (f64::from(rows).max(2.0), f64::from(columns).max(2.0));
        svg.rect([y[0] + 16.0, y[1] + 32.0], [w, h], RED, RED);
        svg.rect([left, y[1] + 32.0], [40.0, h], BLUE, BLUE);
        svg.rect([y[0] + 16.0, 45.0], [w, 40.0], BLUE, BLUE);
        svg.text([left + 20.0, 240.0], "middle", INK, "x");
        svg.text([y[0] + 48.0, 240.0], "middle", INK, "y = x·wᵀ");
        svg.text([y[0] + 104.0, 68.0], "start", INK, "wᵀ");
        svg.text([left, 265.0], "start", INK, what);
        let far = f64::from(rows + columns) / f64::from(rows * columns);
        svg.text(
            [left, 287.0],
            "start",
            BLUE,
            &format!("{far:.3} loads from buffers"),
        );
        svg.text([left, 307.0], "start", INK, "for a multiply-add");
    }
    svg.save(path)
}
