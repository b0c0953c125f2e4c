// What training does to rows of numbers in place, beside Adam: clipping, averages, exchange.
//
// Constants: WG. Params: count, n; s, the factor or bound of the formula (0 where it has none).
// Grid: one invocation per element.

import package::lib::index::{Grid, index};
import constants::WG;

struct Params { count: u32, s: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> squares: array<f32>;
@group(0) @binding(1) var<storage, read_write> g: array<f32>;

// g ← g·min(1, s / (√squares + 1e-6)), as torch.nn.utils.clip_grad_norm_ does it. A sum that is no
// number leaves g as it is: zeros between parameters must stay zeros.
//
// Bindings: the sum of squares [1], g [n], updated; f32.
@compute @workgroup_size(WG)
fn clip(grid: Grid) {
    let i = index(grid);
    if i >= p.count { return; }
    let factor = p.s / (sqrt(squares[0]) + 1e-6);
    if factor < 1.0 { g[i] = factor * g[i]; }
}

@group(0) @binding(0) var<storage, read> w: array<f32>;
@group(0) @binding(1) var<storage, read_write> e: array<f32>;

// e ← e + s·(w − e). Bindings: w, e [n], e updated; f32.
@compute @workgroup_size(WG)
fn approach(grid: Grid) {
    let i = index(grid);
    if i < p.count { e[i] = e[i] + p.s * (w[i] - e[i]); }
}

@group(0) @binding(0) var<storage, read_write> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> b: array<f32>;

// a, b ← b, a. Bindings: a, b [n], updated; f32.
@compute @workgroup_size(WG)
fn exchange(grid: Grid) {
    let i = index(grid);
    if i >= p.count { return; }
    let before = a[i];
    a[i] = b[i];
    b[i] = before;
}
