// Losses between a prediction a and its target b, up to their sum; and their derivatives.
//
//   LOSS 0, L1:          |a − b|              sign(a − b); where a = b it is taken as 0
//   LOSS 1, L2:          (a − b)²             2·(a − b)
//   LOSS 2, Charbonnier: √((a − b)² + ε)      (a − b) / √((a − b)² + ε)
//
// Constants: WG; LOSS. Params: count, n; inverse_n, 1 / n (of the derivative); eps, ε.
// Grid: one invocation per element.

import package::lib::index::{Grid, index};
import constants::{WG, LOSS};

struct Params { count: u32, inverse_n: f32, eps: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// y = the loss of one element. Bindings: a, b [n], output y [n]; f32.
@compute @workgroup_size(WG)
fn loss(grid: Grid) {
    let i = index(grid);
    if i >= p.count { return; }
    let d = a[i] - b[i];
    if LOSS == 0u { y[i] = abs(d); }
    if LOSS == 1u { y[i] = d * d; }
    if LOSS == 2u { y[i] = sqrt(d * d + p.eps); }
}

@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> da: array<f32>;

// da = the element's derivative · dy / n. Bindings: a, b [n], dy [1], output da [n]; f32.
@compute @workgroup_size(WG)
fn loss_backward(grid: Grid) {
    let i = index(grid);
    if i >= p.count { return; }
    let d = a[i] - b[i];
    if LOSS == 0u { da[i] = sign(d) * dy[0] * p.inverse_n; }
    if LOSS == 1u { da[i] = 2.0 * d * dy[0] * p.inverse_n; }
    if LOSS == 2u { da[i] = d / sqrt(d * d + p.eps) * dy[0] * p.inverse_n; }
}
