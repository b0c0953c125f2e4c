// As layer_norm_backward of plain/layer_norm.wgsl; 2 times as fast on a software driver (16 lanes),
// because a row is loaded once, and the sums of dw and db stay in registers for R of them.
//
// Bindings: as there, in V's: x, dy [N, CV], w [CV], stats [N, 2] in twos, residual as dx (not read
// unless RESIDUAL), outputs dx [N, CV] and partial [groups·WG, 2·CV], the sums of dw and then db
// over an invocation's rows; f32.
// Constants: WG; VEC numbers in a V, CV = C / VEC; R rows per invocation; RESIDUAL (0 or 1).
// Params: rows, N; groups, ⌈N / (R·WG)⌉.
// Grid: one invocation per R rows, WG apart, p.groups workgroups; those beyond repeat the last.
// Rows beyond the end repeat the last one, and count as zero in the sums.

import package::lib::index::Grid;
import package::lib::vec::{V, sum_of};
import constants::{WG, VEC, CV, R, RESIDUAL};

struct Params { rows: u32, groups: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> dy: array<V>;
@group(0) @binding(2) var<storage, read> w: array<V>;
@group(0) @binding(3) var<storage, read> stats: array<vec2f>;
@group(0) @binding(4) var<storage, read> residual: array<V>;
@group(0) @binding(5) var<storage, read_write> dx: array<V>;
@group(0) @binding(6) var<storage, read_write> partial: array<V>;

@compute @workgroup_size(WG)
fn layer_norm_backward(grid: Grid) {
    let group = min(grid.id.y * grid.groups.x + grid.id.x, p.groups - 1u);
    let first = group * (WG * R) + grid.local;
    var weight: array<V, CV>;
    var dw: array<V, CV>;
    var db: array<V, CV>;
    for (var c = 0u; c < CV; c++) { weight[c] = w[c]; }
    var row: array<u32, R>;
    for (var r = 0u; r < R; r++) {
        row[r] = min(first + r * WG, p.rows - 1u);
        let counts = select(0.0, 1.0, first + r * WG < p.rows);
        let stat = stats[row[r]]; // mean, rstd
        var n = array<V, CV>();
        var g = array<V, CV>();
        var total_g = V();
        var total_gn = V();
        for (var c = 0u; c < CV; c++) {
            let upstream = dy[row[r] * CV + c];
            n[c] = (x[row[r] * CV + c] - stat.x) * stat.y;
            g[c] = upstream * weight[c];
            total_g += g[c];
            total_gn += g[c] * n[c];
            dw[c] += counts * upstream * n[c];
            db[c] += counts * upstream;
        }
        let mean_g = sum_of(total_g) / f32(VEC * CV);
        let mean_gn = sum_of(total_gn) / f32(VEC * CV);
        for (var c = 0u; c < CV; c++) {
            var value = stat.y * (g[c] - mean_g - n[c] * mean_gn);
            if RESIDUAL == 1u { value += residual[row[r] * CV + c]; }
            dx[row[r] * CV + c] = value;
        }
    }
    let at = (group * WG + grid.local) * (2u * CV);
    for (var c = 0u; c < CV; c++) { partial[at + c] = dw[c]; }
    for (var c = 0u; c < CV; c++) { partial[at + CV + c] = db[c]; }
}
