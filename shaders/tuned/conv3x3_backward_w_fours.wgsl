// As conv3x3_backward_w of plain/conv3x3.wgsl, where Ci and Co are multiples of 4; for GPUs. Four inputs
// meet four outputs, so that all loads are of fours.
//
// Bindings: as there, in fours: x [B, H, W, Ci/4], dy [B, H, W, Co/4], outputs partial_w
// [chunks, 3, 3, Ci, Co/4], partial_b [chunks, Co/4]; all f32.
// Constants: WG.
// Params: count, the invocations; rows, B·H; rows_per_chunk; h; w; ci4 = Ci / 4; co4 = Co / 4.
// Grid: one invocation per chunk, ky, four of Ci and four of Co, these innermost: neighbours load the
// same x and dy that lie side by side. Those beyond the end repeat the last.
//
// An invocation walks along the rows of its chunk with 48 sums and the last three columns of its inputs
// in registers: two loads a pixel for 48 multiply-adds.

import package::lib::index::{Grid, index_below};
import constants::WG;

struct Params { count: u32, rows: u32, rows_per_chunk: u32, h: u32, w: u32, ci4: u32, co4: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> partial_w: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partial_b: array<vec4f>;

@compute @workgroup_size(WG)
fn conv3x3_backward_w(grid: Grid) {
    let i = index_below(grid, p.count);
    let o4 = i % p.co4;
    let i4 = i / p.co4 % p.ci4;
    let ky = i / (p.co4 * p.ci4) % 3u;
    let chunk = i / (p.co4 * p.ci4 * 3u);

    var acc: array<array<vec4f, 4>, 3>; // [kx][input]
    var acc_b = vec4f();
    let last = min((chunk + 1u) * p.rows_per_chunk, p.rows);
    for (var row = chunk * p.rows_per_chunk; row < last; row++) {
        let v = row % p.h + ky; // one more than the input's row
        if v < 1u || v > p.h { continue; }
        // Where x and dy lie, added to: a product is dear.
        var at = (row + ky - 1u) * p.w * p.ci4 + i4;
        var at_dy = row * p.w * p.co4 + o4;
        let end = at + (p.w - 1u) * p.ci4; // the last column
        var before = vec4f();
        var here = x[at];
        for (var u = 0u; u < p.w; u++) {
            at += p.ci4;
            let next = select(vec4f(), x[min(at, end)], at <= end);
            let g = dy[at_dy];
            at_dy += p.co4;
            acc_b += g;
            for (var e = 0u; e < 4u; e++) {
                acc[0][e] = fma(vec4f(before[e]), g, acc[0][e]);
                acc[1][e] = fma(vec4f(here[e]), g, acc[1][e]);
                acc[2][e] = fma(vec4f(next[e]), g, acc[2][e]);
            }
            before = here;
            here = next;
        }
    }

    for (var kx = 0u; kx < 3u; kx++) {
        for (var e = 0u; e < 4u; e++) {
            let tap = (chunk * 3u + ky) * 3u + kx;
            partial_w[((tap * p.ci4 + i4) * 4u + e) * p.co4 + o4] = acc[kx][e];
        }
    }
    if ky == 1u && i4 == 0u { partial_b[chunk * p.co4 + o4] = acc_b; } // the middle tap meets every row
}
