// Layer normalisation over the channels of every row (Ba et al. 2016), and its
// derivatives. layer_norm:
//
//   y[n, c] = (x[n, c] − mean) · rstd · w[c] + b[c],   rstd = 1 / √(variance + eps)
//
// Bindings: x [N, C], w [C], b [C], outputs y [N, C] and stats [N, 2], each row's (mean, rstd). x
// and y may be f16.
// Constants: WG; RESIDUAL (0 or 1) of layer_norm_backward (elsewhere 0).
// Params: count, the invocations; rows, N; c; rows_per_chunk of
// layer_norm_backward (elsewhere 0); eps.
// Grid: one invocation per row.

import package::lib::index::{Grid, index};
import constants::{WG, RESIDUAL};

struct Params { count: u32, rows: u32, c: u32, rows_per_chunk: u32, eps: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<T3>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2f>;

@compute @workgroup_size(WG)
fn layer_norm(grid: Grid) {
    let n = index(grid);
    if n >= p.count { return; }
    var mean = 0.0;
    for (var c = 0u; c < p.c; c++) { mean += f32(x[n * p.c + c]); }
    mean /= f32(p.c);
    var variance = 0.0;
    for (var c = 0u; c < p.c; c++) {
        let off = f32(x[n * p.c + c]) - mean;
        variance += off * off;
    }
    variance /= f32(p.c);
    let rstd = 1.0 / sqrt(variance + p.eps);
    for (var c = 0u; c < p.c; c++) {
        y[n * p.c + c] = T3((f32(x[n * p.c + c]) - mean) * rstd * w[c] + b[c]);
    }
    stats[n] = vec2f(mean, rstd);
}

// layer_norm_backward: with n = (x − mean)·rstd, the normed row, and g = dy·w
//
//   dx = rstd·(g − mean(g) − n·mean(g·n)) + residual,   dw = Σ_rows dy·n,   db = Σ_rows dy,
//
// the sums over the rows of each chunk; sum_rows adds up the chunks.
//
// Bindings: x, dy [N, C], w [C], stats [N, 2], residual as dx (not read unless RESIDUAL), outputs
// dx [N, C] and partial [chunks, 2·C], dw and then db; all f32.
// Grid: one invocation per chunk; one that begins beyond the last row gives zeros.

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> stats_of: array<vec2f>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(6) var<storage, read_write> partial: array<f32>;

fn normed(n: u32, c: u32) -> f32 {
    return (f32(x[n * p.c + c]) - stats_of[n].x) * stats_of[n].y;
}

@compute @workgroup_size(WG)
fn layer_norm_backward(grid: Grid) {
    let chunk = index(grid);
    if chunk >= p.count { return; }
    let first = chunk * p.rows_per_chunk;
    let end = min(first + p.rows_per_chunk, p.rows);
    for (var n = first; n < end; n++) {
        var mean_g = 0.0;
        var mean_gn = 0.0;
        for (var c = 0u; c < p.c; c++) {
            let g = dy[n * p.c + c] * weight[c];
            mean_g += g;
            mean_gn += g * normed(n, c);
        }
        mean_g /= f32(p.c);
        mean_gn /= f32(p.c);
        for (var c = 0u; c < p.c; c++) {
            let g = dy[n * p.c + c] * weight[c];
            var value = stats_of[n].y * (g - mean_g - normed(n, c) * mean_gn);
            if RESIDUAL == 1u { value += residual[n * p.c + c]; }
            dx[n * p.c + c] = value;
        }
    }
    for (var c = 0u; c < p.c; c++) {
        var dw = 0.0;
        var db = 0.0;
        for (var n = first; n < end; n++) {
            dw += dy[n * p.c + c] * normed(n, c);
            db += dy[n * p.c + c];
        }
        partial[chunk * 2u * p.c + c] = dw;
        partial[chunk * 2u * p.c + p.c + c] = db;
    }
}
