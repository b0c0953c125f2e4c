//! Kernels to play with: a text, data to run it on, and what must come out by a loop on the host.
//!
//! The page itself compiles and runs the text, so that it can be changed there and the browser's
//! messages stand beside its lines.

use tensor::kernel_source;
use wasm_bindgen::prelude::*;

/// A kernel with its data.
#[wasm_bindgen]
pub struct Experiment {
    source: String,
    entry: &'static str,
    inputs: Vec<Vec<u8>>, // bindings 0, 1, …
    outputs: Vec<usize>,  // bytes of the bindings behind them; the first is checked
    params: Vec<u8>,      // the uniform at binding 12, if there is one
    groups: [u32; 2],
    operations: f64, // floating-point ones of the formula
    wanted: Vec<f64>,
}

/// The names of all experiments.
#[wasm_bindgen]
pub fn experiments() -> Vec<String> {
    ALL.map(|(name, _)| name.to_owned()).into()
}

type Make = fn() -> Experiment;
const ALL: [(&str, Make); 7] = [
    ("Product, plain", product),
    ("Product, step 1: naive", || history(0)),
    ("Product, step 2: tiled", || history(1)),
    ("Product, step 3: in registers", || history(2)),
    ("LayerNorm", layer_norm),
    ("Softmax and attention", attention),
    ("Depthwise convolution", depthwise5x5),
];

#[wasm_bindgen]
impl Experiment {
    /// The experiment of this number.
    #[wasm_bindgen(constructor)]
    pub fn new(number: usize) -> Result<Experiment, JsError> {
        let (_, make) = ALL.get(number).ok_or(JsError::new("no such experiment"))?;
        Ok(make())
    }

    /// The kernel's text.
    #[wasm_bindgen(getter)]
    pub fn source(&self) -> String {
        self.source.clone()
    }

    /// The name of its function.
    #[wasm_bindgen(getter)]
    pub fn entry(&self) -> String {
        self.entry.to_owned()
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// An input's bytes.
    pub fn input(&self, i: usize) -> Vec<u8> {
        self.inputs[i].clone()
    }

    /// The bytes of each output.
    pub fn outputs(&self) -> Vec<usize> {
        self.outputs.clone()
    }

    /// The parameters' bytes.
    pub fn params(&self) -> Vec<u8> {
        self.params.clone()
    }

    /// The grid, in workgroups.
    pub fn groups(&self) -> Vec<u32> {
        self.groups.to_vec()
    }

    /// Floating-point operations of the formula.
    #[wasm_bindgen(getter)]
    pub fn operations(&self) -> f64 {
        self.operations
    }

    /// How far the first output is from the host's numbers: the largest difference, in parts of the largest
    /// number. Not a number if one is none.
    pub fn error(&self, output: &[f32]) -> f64 {
        let apart = output.iter().zip(&self.wanted);
        let apart = apart.map(|(&got, wanted)| (f64::from(got) - wanted).abs());
        // `max` passes over NaN.
        let most = apart.fold(
            0.0,
            |most: f64, d| if d > most || d.is_nan() { d } else { most },
        );
        most / self
            .wanted
            .iter()
            .fold(1e-30, |most: f64, w| most.max(w.abs()))
    }
}

/// Numbers in [-1, 1), the same for the same seed.
fn numbers(seed: u32, len: usize) -> Vec<f32> {
    let scrambled = |i: usize| (i as u32 + seed * 1_000_003).wrapping_mul(0x9E37_79B9) as i32;
    let number = |i| scrambled(i) as f32 / (1u32 << 31) as f32;
    (0..len).map(number).collect()
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// Of a file's kernels, those up to the one of this name, which are what it needs.
fn until(source: &str, entry: &str) -> String {
    let begin = source.find(&format!("fn {entry}(")).unwrap_or(0);
    let end = source[begin..]
        .find("\n}\n")
        .map_or(source.len(), |at| begin + at + 3);
    source[..end].to_owned()
}

fn dot(x: &[f32], y: &[f32]) -> f64 {
    let products = x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y));
    products.sum()
}

const WG: usize = 64;

// The sizes of ConvFFN's first layer, on the tokens of a 128×128 map.
const ROWS: usize = 128 * 128;
const INS: usize = 40;
const OUTS: usize = 96;

fn rows() -> (Vec<f32>, Vec<f32>, Vec<f64>) {
    let (x, w) = (numbers(1, ROWS * INS), numbers(2, OUTS * INS));
    let row = |x| w.chunks(INS).map(move |w| dot(x, w));
    let y = x.chunks(INS).flat_map(row).collect();
    (x, w, y)
}

fn product() -> Experiment {
    let (x, w, wanted) = rows();
    let constants = [("WG", WG as u32), ("VEC", 1)];
    Experiment {
        source: until(
            &kernel_source("plain/linear", "linear", &constants),
            "linear",
        ),
        entry: "linear",
        inputs: vec![bytes(&x), bytes(&w), bytes(&[0.0; 4]), bytes(&[0.0; 4])],
        outputs: vec![wanted.len() * 4, 16],
        params: words(&[
            wanted.len() as u32,
            ROWS as u32,
            INS as u32,
            OUTS as u32,
            0,
            0,
            0,
            0,
        ]),
        groups: grid(wanted.len()),
        operations: 2.0 * (ROWS * INS * OUTS) as f64,
        wanted,
    }
}

/// A step of `benches/history`, which says what each of them brings.
fn history(step: usize) -> Experiment {
    let (text, entry, tile) = [
        (
            include_str!("../../benches/history/01_naive.wgsl"),
            "naive",
            [32, 2],
        ),
        (
            include_str!("../../benches/history/02_tiled.wgsl"),
            "tiled",
            [16, 16],
        ),
        (
            include_str!("../../benches/history/03_registers.wgsl"),
            "registers",
            [48, 64],
        ),
    ][step];
    let (x, w, wanted) = rows();
    Experiment {
        source: format!("const M = {ROWS}u; const N = {OUTS}u; const K = {INS}u;\n{text}"),
        entry,
        inputs: vec![bytes(&x), bytes(&w)],
        outputs: vec![wanted.len() * 4],
        params: Vec::new(),
        groups: [OUTS as u32 / tile[0], ROWS as u32 / tile[1]],
        operations: 2.0 * (ROWS * INS * OUTS) as f64,
        wanted,
    }
}

fn layer_norm() -> Experiment {
    let (x, w, b) = (numbers(1, ROWS * INS), numbers(2, INS), numbers(3, INS));
    let eps = 1e-5f32;
    let mut wanted = Vec::new();
    for row in x.chunks(INS) {
        let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / INS as f64;
        let square = |&v: &f32| (f64::from(v) - mean).powi(2);
        let variance = row.iter().map(square).sum::<f64>() / INS as f64;
        let rstd = 1.0 / (variance + f64::from(eps)).sqrt();
        let channels = row.iter().zip(&w).zip(&b);
        wanted.extend(
            channels
                .map(|((&v, &w), &b)| (f64::from(v) - mean) * rstd * f64::from(w) + f64::from(b)),
        );
    }
    let source = kernel_source("plain/layer_norm", "layer_norm", &[("WG", WG as u32)]);
    Experiment {
        source: until(&source, "layer_norm"),
        entry: "layer_norm",
        inputs: vec![bytes(&x), bytes(&w), bytes(&b)],
        outputs: vec![wanted.len() * 4, ROWS * 8],
        params: words(&[
            ROWS as u32,
            ROWS as u32,
            INS as u32,
            0,
            eps.to_bits(),
            0,
            0,
            0,
        ]),
        groups: grid(ROWS),
        operations: 8.0 * (ROWS * INS) as f64,
        wanted,
    }
}

/// Tokens in groups: each attends to its own group and the next, as CATANet's sorted tokens do.
fn attention() -> Experiment {
    let (heads, dk, dv) = (4, 9, 10);
    let (tokens, queries, keys) = (2048, 64, 128);
    let scale = 1.0 / 3.0f32;
    let (q, k) = (
        numbers(1, tokens * heads * dk),
        numbers(2, tokens * heads * dk),
    );
    let v = numbers(3, tokens * heads * dv);
    let key = |group: usize, j: usize| (group * queries + j) % tokens;
    let mut wanted = Vec::new();
    for slot in 0..tokens {
        for head in 0..heads {
            let part = |x: &'_ [f32], row: usize, d: usize| {
                let start = (row * heads + head) * d;
                x[start..start + d].to_vec()
            };
            let query = part(&q, slot, dk);
            let mut sum = 0.0;
            let mut mean = vec![0.0; dv];
            for row in (0..keys).map(|j| key(slot / queries, j)) {
                // Scores are below 9/3: no exponential is too large.
                let weight = (f64::from(scale) * dot(&query, &part(&k, row, dk))).exp();
                sum += weight;
                let values = part(&v, row, dv);
                mean.iter_mut()
                    .zip(values)
                    .for_each(|(m, v)| *m += weight * f64::from(v));
            }
            wanted.extend(mean.iter().map(|m| m / sum));
        }
    }
    let slots: Vec<u32> = (0..tokens as u32).collect();
    let groups = tokens / queries;
    let listed = (0..groups).flat_map(|group| (0..keys).map(move |j| key(group, j) as u32));
    let listed: Vec<u32> = listed.collect();
    let constants = [("WG", WG), ("HEADS", heads), ("DK", dk), ("DV", dv)];
    let constants = constants.map(|(name, value)| (name, value as u32));
    let count = tokens * heads;
    let sizes = [count, groups, queries, keys, tokens, tokens].map(|n| n as u32);
    Experiment {
        source: until(
            &kernel_source("plain/attention", "attention", &constants),
            "attention",
        ),
        entry: "attention",
        inputs: vec![
            bytes(&q),
            bytes(&k),
            bytes(&v),
            words(&slots),
            words(&listed),
        ],
        outputs: vec![wanted.len() * 4, count * 4],
        params: words(&[&sizes[..], &[scale.to_bits(), 0]].concat()),
        groups: grid(count),
        operations: (count * keys * (2 * dk + 2 * dv + 3)) as f64,
        wanted,
    }
}

fn depthwise5x5() -> Experiment {
    let (height, width, c) = (64, 64, 96);
    let (x, w) = (numbers(1, height * width * c), numbers(2, 25 * c));
    let bias = numbers(3, c);
    let mut wanted = Vec::new();
    for i in 0..height * width * c {
        let (v, u, c0) = (i / (width * c), i / c % width, i % c);
        let mut sum = f64::from(bias[c0]);
        for tap in 0..25 {
            let (y, x0) = ((v + tap / 5).wrapping_sub(2), (u + tap % 5).wrapping_sub(2));
            if y < height && x0 < width {
                sum += f64::from(x[(y * width + x0) * c + c0]) * f64::from(w[tap * c + c0]);
            }
        }
        wanted.push(sum);
    }
    let constants = [("WG", WG as u32), ("VEC", 1), ("BIAS", 1)];
    let source = kernel_source("plain/depthwise5x5", "depthwise5x5", &constants);
    let sizes = [wanted.len(), height, width, c].map(|n| n as u32);
    Experiment {
        source: until(&source, "depthwise5x5"),
        entry: "depthwise5x5",
        inputs: vec![bytes(&x), bytes(&w), bytes(&bias), bytes(&[0.0; 4])],
        outputs: vec![wanted.len() * 4, 16],
        params: words(&[&sizes[..], &[0; 4]].concat()),
        groups: grid(wanted.len()),
        operations: 50.0 * wanted.len() as f64,
        wanted,
    }
}

/// Workgroups for so many invocations: kernels number them row by row.
fn grid(count: usize) -> [u32; 2] {
    let groups = count.div_ceil(WG);
    let across = groups.min(65_535);
    [across as u32, groups.div_ceil(across) as u32]
}
