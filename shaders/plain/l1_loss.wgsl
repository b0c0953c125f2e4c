// The L1 loss, mean |a − b|, up to its sum; and its derivative.
//
// Constants: WG. Params: count, n; inverse_n, 1 / n (of the derivative).
// Grid: one invocation per element.

import package::lib::index::{Grid, index};
import constants::WG;

struct Params { count: u32, inverse_n: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> difference: array<f32>;

// difference = |a − b|. Bindings: a, b [n], output difference [n]; f32.
@compute @workgroup_size(WG)
fn abs_difference(grid: Grid) {
    let i = index(grid);
    if i < p.count { difference[i] = abs(a[i] - b[i]); }
}

@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> da: array<f32>;

// da = sign(a − b)·dy / n; where a = b the derivative is taken as 0.
//
// Bindings: a, b [n], dy [1], output da [n]; f32.
@compute @workgroup_size(WG)
fn l1_loss_backward(grid: Grid) {
    let i = index(grid);
    if i < p.count { da[i] = sign(a[i] - b[i]) * dy[0] * p.inverse_n; }
}
