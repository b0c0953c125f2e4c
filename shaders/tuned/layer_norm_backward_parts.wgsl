// As layer_norm_backward of plain/layer_norm.wgsl; for GPUs, in two kernels that hold few numbers each:
// one by rows and one by channels. One kernel for both, which has a row and the sums of its channels in
// registers, needs 200 of them and spills; what is loaded twice here comes from a cache.
//
// Constants: WG; VEC numbers in a V; RESIDUAL (0 or 1).
// Params: count, the invocations; rows, N; cv = C / VEC; chunk, the rows of a sum.
// Grid: one invocation per row, or per chunk of rows and V, V's innermost; those beyond the end
// repeat the last.

import package::lib::index::{Grid, index_below};
import package::lib::vec::{V, sum_of};
import constants::{WG, VEC, RESIDUAL};

struct Params { count: u32, rows: u32, cv: u32, chunk: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> dy: array<V>;
@group(0) @binding(2) var<storage, read> w: array<V>;
@group(0) @binding(3) var<storage, read> stats: array<vec2f>;
@group(0) @binding(4) var<storage, read> residual: array<V>;
@group(0) @binding(5) var<storage, read_write> dx: array<V>;

// layer_norm_backward_x.
//
// Bindings: x, dy [N, cv], w [cv], stats [N, 2] in twos, residual as dx (not read unless RESIDUAL),
// output dx [N, cv]; f32.

@compute @workgroup_size(WG)
fn layer_norm_backward_x(grid: Grid) {
    let row = index_below(grid, p.count);
    let stat = stats[row]; // mean, rstd
    var total_g = V();
    var total_gn = V();
    for (var c = 0u; c < p.cv; c++) {
        let g = dy[row * p.cv + c] * w[c];
        total_g += g;
        total_gn += g * ((x[row * p.cv + c] - stat.x) * stat.y);
    }
    let mean_g = sum_of(total_g) / f32(VEC * p.cv);
    let mean_gn = sum_of(total_gn) / f32(VEC * p.cv);
    for (var c = 0u; c < p.cv; c++) {
        let at = row * p.cv + c;
        let n = (x[at] - stat.x) * stat.y;
        var value = stat.y * (dy[at] * w[c] - mean_g - n * mean_gn);
        if RESIDUAL == 1u { value += residual[at]; }
        dx[at] = value;
    }
}

// layer_norm_backward_w.
//
// Bindings: x, dy [N, cv], stats [N, 2] in twos, output partial [chunks, 2·cv], the sums of dw and then
// db over a chunk; f32.

@group(0) @binding(2) var<storage, read> row_stats: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> partial: array<V>;

@compute @workgroup_size(WG)
fn layer_norm_backward_w(grid: Grid) {
    let i = index_below(grid, p.count);
    let chunk = i / p.cv;
    let c = i % p.cv;
    var dw = V();
    var db = V();
    for (var row = chunk * p.chunk; row < min((chunk + 1u) * p.chunk, p.rows); row++) {
        let stat = row_stats[row];
        let upstream = dy[row * p.cv + c];
        dw += upstream * ((x[row * p.cv + c] - stat.x) * stat.y);
        db += upstream;
    }
    partial[chunk * 2u * p.cv + c] = dw;
    partial[chunk * 2u * p.cv + p.cv + c] = db;
}
