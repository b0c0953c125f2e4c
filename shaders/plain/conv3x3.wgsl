// Dense 3×3 convolution, stride 1, zero padding 1, what may follow it, and its
// derivatives. conv3x3:
//
//   y[b, v, u, o] = act(bias[o] + Σ_{ky, kx, i} x[b, v+ky−1, u+kx−1, i]·w[ky, kx, i, o]) + residual,
//
// act being nothing or LeakyReLU; then channel c·R² + i·R + j goes to channel c of row i, column j
// of the R×R pixels that take its pixel's place (pixel shuffle; R = 1: nothing moves).
//
// Bindings: x [B, H, W, Ci], w [3, 3, Ci, Co], bias [Co], residual as y (not read unless BIAS,
// RESIDUAL), output y [B, H·R, W·R, Co/R²]. x, residual and y may be f16.
// Constants: WG; R; BIAS, LEAKY, RESIDUAL (0 or 1).
// Params: count, the invocations; h, w, ci, co; slope of LeakyReLU; rows, B·H, and rows_per_chunk,
// of conv3x3_backward_w (elsewhere 0).
// Grid: one invocation per element of y.

import package::lib::index::{Grid, index};
import constants::{WG, R, BIAS, LEAKY, RESIDUAL};

struct Params {
    count: u32, h: u32, w: u32, ci: u32, co: u32, slope: f32, rows: u32, rows_per_chunk: u32,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<T3>;
@group(0) @binding(4) var<storage, read_write> y: array<T4>;

@compute @workgroup_size(WG)
fn conv3x3(grid: Grid) {
    let at = index(grid); // b, v·R + row of the pixels that take its place, u·R + column, c
    if at >= p.count { return; }
    let channels = p.co / (R * R);
    let column = at / channels % (p.w * R);
    let line = at / (channels * p.w * R);
    let o = at % channels * R * R + line % R * R + column % R;
    let row = line / R; // b, v
    let image = row / p.h * p.h;
    var sum = 0.0;
    for (var ky = 0u; ky < 3u; ky++) {
        for (var kx = 0u; kx < 3u; kx++) {
            let v = row % p.h + ky - 1u; // above the first row: 2³² − 1
            let u = column / R + kx - 1u;
            if v >= p.h || u >= p.w { continue; }
            let pixel = (image + v) * p.w + u;
            for (var i = 0u; i < p.ci; i++) {
                sum += f32(x[pixel * p.ci + i]) * w[((3u * ky + kx) * p.ci + i) * p.co + o];
            }
        }
    }
    if BIAS == 1u { sum += bias[o]; }
    if LEAKY == 1u && sum <= 0.0 { sum *= p.slope; }
    if RESIDUAL == 1u { sum += f32(residual[at]); }
    y[at] = T4(sum);
}

// conv3x3_backward_x:
//
//   dx[b, v, u, i] = Σ_{ky, kx, o} dy[b, v−ky+1, u−kx+1, o] · w[ky, kx, i, o] + residual
//
// Bindings: dy [B, H, W, Co], w, residual [B, H, W, Ci] (not read unless RESIDUAL), output
// dx [B, H, W, Ci]; all but w may be f16. Grid: one invocation per element of dx.

@group(0) @binding(0) var<storage, read> dy: array<T0>;
@group(0) @binding(2) var<storage, read> residual_x: array<T2>;
@group(0) @binding(3) var<storage, read_write> dx: array<T3>;

@compute @workgroup_size(WG)
fn conv3x3_backward_x(grid: Grid) {
    let at = index(grid); // b, v, u, i
    if at >= p.count { return; }
    let i = at % p.ci;
    let row = at / (p.ci * p.w); // b, v
    let image = row / p.h * p.h;
    var sum = 0.0;
    for (var ky = 0u; ky < 3u; ky++) {
        for (var kx = 0u; kx < 3u; kx++) {
            let v = row % p.h + 1u - ky;
            let u = at / p.ci % p.w + 1u - kx;
            if v >= p.h || u >= p.w { continue; }
            let pixel = (image + v) * p.w + u;
            for (var o = 0u; o < p.co; o++) {
                sum += f32(dy[pixel * p.co + o]) * w[((3u * ky + kx) * p.ci + i) * p.co + o];
            }
        }
    }
    if RESIDUAL == 1u { sum += f32(residual_x[at]); }
    dx[at] = T3(sum);
}

// conv3x3_backward_w, summed over the image rows (b, v) of each chunk; sum_rows adds up the chunks:
//
//   partial_w[chunk, ky, kx, i, o] = Σ_{(b, v), u} x[b, v+ky−1, u+kx−1, i] · dy[b, v, u, o],
//   partial_b[chunk, o] = Σ_{(b, v), u} dy[b, v, u, o]
//
// Bindings: x, dy, outputs partial_w [chunks, 3, 3, Ci, Co], partial_b [chunks, Co]; all f32.
// Grid: one invocation per element of partial_w.

@group(0) @binding(1) var<storage, read> dy_w: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial_w: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial_b: array<f32>;

@compute @workgroup_size(WG)
fn conv3x3_backward_w(grid: Grid) {
    let at = index(grid); // chunk, ky, kx, i, o
    if at >= p.count { return; }
    let o = at % p.co;
    let i = at / p.co % p.ci;
    let tap = at / (p.co * p.ci) % 9u;
    let chunk = at / (p.co * p.ci * 9u);
    let end = min((chunk + 1u) * p.rows_per_chunk, p.rows);
    var sum_w = 0.0;
    var sum_b = 0.0;
    for (var row = chunk * p.rows_per_chunk; row < end; row++) {
        let v = row % p.h + tap / 3u - 1u;
        var row_w = 0.0; // row by row, so that fewer roundings meet the long sum
        var row_b = 0.0;
        for (var j = 0u; j < p.w; j++) {
            let g = dy_w[(row * p.w + j) * p.co + o];
            row_b += g;
            let u = j + tap % 3u - 1u;
            if v >= p.h || u >= p.w { continue; }
            row_w += f32(x[((row / p.h * p.h + v) * p.w + u) * p.ci + i]) * g;
        }
        sum_w += row_w;
        sum_b += row_b;
    }
    partial_w[at] = sum_w;
    if tap == 0u && i == 0u { partial_b[chunk * p.co + o] = sum_b; }
}
