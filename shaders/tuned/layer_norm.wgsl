// As layer_norm of plain/layer_norm.wgsl; 3 times as fast on a software driver (16 lanes), because
// a row is loaded once and stays in registers.
//
// Bindings: as there, in V's: x [N, CV], w [CV], b [CV], outputs y [N, CV], stats [N, 2] in twos. x
// and y may be f16.
// Constants: WG; VEC numbers in a V, CV = C / VEC; R rows per invocation.
// Params: rows, N; eps.
// Grid: one invocation per R rows, WG apart.
//
// A row (40 numbers) stays in registers, so mean and variance are exact two-pass sums. Several rows
// share the loads of w and b. Rows beyond the end repeat the last one, instead of branching.

import package::lib::index::Grid;
import package::lib::vec::{V, sum_of};
import constants::{WG, VEC, CV, R};

struct Params { rows: u32, eps: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> w: array<V>;
@group(0) @binding(2) var<storage, read> b: array<V>;
@group(0) @binding(3) var<storage, read_write> y: array<V3>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2f>;

@compute @workgroup_size(WG)
fn layer_norm(grid: Grid) {
    let first = (grid.id.y * grid.groups.x + grid.id.x) * (WG * R) + grid.local;
    var value: array<array<V, CV>, R>;
    var rstd: array<f32, R>;
    for (var r = 0u; r < R; r++) {
        let row = min(first + r * WG, p.rows - 1u);
        var total = V();
        for (var c = 0u; c < CV; c++) {
            value[r][c] = V(x[row * CV + c]);
            total += value[r][c];
        }
        let mean = sum_of(total) / f32(VEC * CV);
        var squares = V();
        for (var c = 0u; c < CV; c++) {
            value[r][c] -= mean;
            squares += value[r][c] * value[r][c];
        }
        rstd[r] = 1.0 / sqrt(sum_of(squares) / f32(VEC * CV) + p.eps);
        stats[row] = vec2f(mean, rstd[r]);
    }
    for (var c = 0u; c < CV; c++) {
        let weight = w[c];
        let bias = b[c];
        for (var r = 0u; r < R; r++) {
            let row = min(first + r * WG, p.rows - 1u);
            y[row * CV + c] = V3(value[r][c] * rstd[r] * weight + bias);
        }
    }
}
