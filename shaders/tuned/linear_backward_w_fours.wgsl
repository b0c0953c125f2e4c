// As linear_backward_w of plain/linear.wgsl, where Ci and Co are multiples of 4; for GPUs. Fours of dy
// meet fours of x, so that all loads are of fours.
//
// Bindings: as there, in fours: x [N, Ci/4], dy [N, Co/4], outputs partial_w [chunks, Co, Ci/4],
// partial_b [chunks, Co/4]; all f32.
// Constants: WG; OUTS4 fours of dy × INS4 fours of x, which divide Co and Ci.
// Params: count, the invocations; rows, N; ci4 = Ci / 4; co4 = Co / 4; rows_per_chunk.
// Grid: one invocation per chunk and tile, the tiles of x innermost: neighbours load the same dy, and x
// side by side. Those beyond the end repeat the last.

import package::lib::index::{Grid, index_below};
import constants::{WG, OUTS4, INS4};

struct Params { count: u32, rows: u32, ci4: u32, co4: u32, rows_per_chunk: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> partial_w: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partial_b: array<vec4f>;

@compute @workgroup_size(WG)
fn linear_backward_w(grid: Grid) {
    let i = index_below(grid, p.count);
    let in_tiles = p.ci4 / INS4;
    let out_tiles = p.co4 / OUTS4;
    let i0 = i % in_tiles * INS4;
    let o0 = i / in_tiles % out_tiles * OUTS4;
    let chunk = i / (in_tiles * out_tiles);
    let end = min((chunk + 1u) * p.rows_per_chunk, p.rows);

    var acc: array<array<array<vec4f, 4>, INS4>, OUTS4>; // [four of dy][four of x][number of dy]
    var acc_b: array<vec4f, OUTS4>;
    var at_x = chunk * p.rows_per_chunk * p.ci4 + i0; // added to: a product is dear
    for (var at = chunk * p.rows_per_chunk * p.co4 + o0; at < end * p.co4; at += p.co4) {
        var b = array<vec4f, INS4>();
        for (var h = 0u; h < INS4; h++) { b[h] = x[at_x + h]; }
        at_x += p.ci4;
        for (var o = 0u; o < OUTS4; o++) {
            let a = dy[at + o];
            acc_b[o] += a;
            for (var h = 0u; h < INS4; h++) {
                for (var e = 0u; e < 4u; e++) { acc[o][h][e] = fma(vec4f(a[e]), b[h], acc[o][h][e]); }
            }
        }
    }

    for (var o = 0u; o < OUTS4; o++) {
        for (var e = 0u; e < 4u; e++) {
            let row = chunk * 4u * p.co4 + 4u * (o0 + o) + e;
            for (var h = 0u; h < INS4; h++) { partial_w[row * p.ci4 + i0 + h] = acc[o][h][e]; }
        }
        if i0 == 0u { partial_b[chunk * p.co4 + o0 + o] = acc_b[o]; }
    }
}
