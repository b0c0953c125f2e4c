// The matrix product of a linear layer, and its derivatives. linear:
//
//   y[n, o] = act(bias[o] + Σ_i x[n, i] · w[o, i]) + residual[n, o],  act nothing or the exact GELU
//
// Bindings: x [N, Ci], w [Co, Ci], bias [Co], residual [N, Co] (not read unless BIAS, RESIDUAL),
// outputs y [N, Co] and, only if KEEP, kept [N, Co], what act is of. x, residual and y may be f16.
// Constants: WG; VEC (1); BIAS, GELU, RESIDUAL, KEEP (0 or 1).
// Params: count, the invocations; rows, N; ci, co; rows_per_chunk, of
// linear_backward_w (elsewhere 0).
// Grid: one invocation per element of y.

import package::lib::index::{Grid, index};
import package::lib::erf::gelu_of;
import constants::{WG, BIAS, GELU, RESIDUAL, KEEP};

struct Params { count: u32, rows: u32, ci: u32, co: u32, rows_per_chunk: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<T3>;
@group(0) @binding(4) var<storage, read_write> y: array<T4>;
@group(0) @binding(5) var<storage, read_write> kept: array<f32>;

@compute @workgroup_size(WG)
fn linear(grid: Grid) {
    let at = index(grid); // n, o
    if at >= p.count { return; }
    let n = at / p.co;
    let o = at % p.co;
    var sum = 0.0;
    for (var i = 0u; i < p.ci; i++) { sum = fma(f32(x[n * p.ci + i]), w[o * p.ci + i], sum); }
    if BIAS == 1u { sum += bias[o]; }
    if KEEP == 1u { kept[at] = sum; }
    if GELU == 1u { sum = gelu_of(sum); }
    if RESIDUAL == 1u { sum += f32(residual[at]); }
    y[at] = T4(sum);
}

// linear_backward_x:  dx[n, i] = Σ_o dy[n, o] · w[o, i] + residual[n, i]
//
// Bindings: dy [N, Co], w, residual [N, Ci] (not read unless RESIDUAL), output dx [N, Ci]; all but
// w may be f16. Grid: one invocation per element of dx.

@group(0) @binding(0) var<storage, read> dy: array<T0>;
@group(0) @binding(2) var<storage, read> residual_x: array<T2>;
@group(0) @binding(3) var<storage, read_write> dx: array<T3>;

@compute @workgroup_size(WG)
fn linear_backward_x(grid: Grid) {
    let at = index(grid); // n, i
    if at >= p.count { return; }
    let n = at / p.ci;
    let i = at % p.ci;
    var sum = 0.0;
    for (var o = 0u; o < p.co; o++) { sum = fma(f32(dy[n * p.co + o]), w[o * p.ci + i], sum); }
    if RESIDUAL == 1u { sum += f32(residual_x[at]); }
    dx[at] = T3(sum);
}

// linear_backward_w, summed over the rows n of each chunk; sum_rows adds up the chunks:
//
//   partial_w[chunk, o, i] = Σ_n dy[n, o] · x[n, i],   partial_b[chunk, o] = Σ_n dy[n, o]
//
// Bindings: x, dy, outputs partial_w [chunks, Co, Ci], partial_b [chunks, Co]; all f32.
// Grid: one invocation per element of partial_w.

@group(0) @binding(1) var<storage, read> dy_w: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial_w: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial_b: array<f32>;

@compute @workgroup_size(WG)
fn linear_backward_w(grid: Grid) {
    let at = index(grid); // chunk, o, i
    if at >= p.count { return; }
    let i = at % p.ci;
    let o = at / p.ci % p.co;
    let chunk = at / (p.ci * p.co);
    let end = min((chunk + 1u) * p.rows_per_chunk, p.rows);
    var sum_w = 0.0;
    var sum_b = 0.0;
    for (var n = chunk * p.rows_per_chunk; n < end; n++) {
        sum_w = fma(dy_w[n * p.co + o], f32(x[n * p.ci + i]), sum_w);
        sum_b += dy_w[n * p.co + o];
    }
    partial_w[at] = sum_w;
    if i == 0u { partial_b[chunk * p.co + o] = sum_b; }
}
