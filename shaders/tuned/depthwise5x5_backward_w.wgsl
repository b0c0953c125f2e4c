// As depthwise5x5_backward_w of plain/depthwise5x5.wgsl; 18 times as fast on a software driver (16
// lanes), because its sums stay in registers while it walks down a strip.
//
// Bindings: as there, where C counts V's: x, dy [B, H, W, C], outputs partial_w [strips, 5, 5, C],
// partial_b [strips, C]; all f32.
// Constants: WG; VEC channels in a V (1 or 4); ROWS, COLS of a strip.
// Params: count, the invocations; h, w; c, in V's.
// Grid: one invocation per V and strip of ROWS × COLS pixels of dy, channels innermost;
// B·⌈H/ROWS⌉·⌈W/COLS⌉ strips.
//
// An invocation walks down its strip with the five rows of dy that an input row meets in registers:
// COLS + (COLS+4) loads for 25·COLS multiply-adds.

import package::lib::index::{Grid, index_below};
import package::lib::vec::V;
import constants::{WG, ROWS, COLS};

struct Params { count: u32, h: u32, w: u32, c: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> dy: array<V>;
@group(0) @binding(2) var<storage, read_write> partial_w: array<V>;
@group(0) @binding(3) var<storage, read_write> partial_b: array<V>;

@compute @workgroup_size(WG)
fn depthwise5x5_backward_w(grid: Grid) {
    let invocation = index_below(grid, p.count);
    let col_tiles = (p.w + COLS - 1u) / COLS;
    let row_tiles = (p.h + ROWS - 1u) / ROWS;
    let c = invocation % p.c;
    let strip = invocation / p.c;
    let u0 = strip % col_tiles * COLS;
    let band = strip / col_tiles; // b·row_tiles + row tile
    let v0 = band % row_tiles * ROWS;
    let image = band / row_tiles * p.h * p.w;

    var col: array<u32, COLS + 4u>;
    var col_inside: array<bool, COLS + 4u>;
    for (var q = 0u; q < COLS + 4u; q++) {
        let u = u0 + q; // two more than the column
        col_inside[q] = u >= 2u && u < p.w + 2u;
        col[q] = (clamp(u, 2u, p.w + 1u) - 2u) * p.c + c;
    }

    var acc: array<V, 25>;
    var acc_b = V(0.0);
    var g: array<array<V, COLS>, 5>; // rows v−2 … v+2 of dy around input row v, zero off the strip
    let end = min(v0 + ROWS, p.h);
    for (var n = v0; n < end + 4u; n++) { // n = v + 2
        let g_row = (image + min(n, end - 1u) * p.w) * p.c;
        for (var q = 0u; q < COLS; q++) {
            for (var j = 0u; j < 4u; j++) { g[j][q] = g[j + 1u][q]; }
            g[4][q] = select(V(0.0), dy[g_row + col[q + 2u]], n < end && col_inside[q + 2u]);
        }
        var sum_b = V(0.0);
        for (var q = 0u; q < COLS; q++) { sum_b += g[4][q]; }
        acc_b += sum_b;
        let inside = n >= 2u && n < p.h + 2u;
        let row = (image + (clamp(n, 2u, p.h + 1u) - 2u) * p.w) * p.c;
        var a = array<V, COLS + 4u>();
        for (var q = 0u; q < COLS + 4u; q++) {
            a[q] = select(V(0.0), x[row + col[q]], inside && col_inside[q]);
        }
        for (var j = 0u; j < 5u; j++) {
            for (var kx = 0u; kx < 5u; kx++) {
                var sum = V(0.0); // of one row, so that fewer roundings meet the long sum
                for (var q = 0u; q < COLS; q++) { sum = fma(a[q + kx], g[j][q], sum); }
                acc[(4u - j) * 5u + kx] += sum;
            }
        }
    }
    for (var t = 0u; t < 25u; t++) { partial_w[(strip * 25u + t) * p.c + c] = acc[t]; }
    partial_b[strip * p.c + c] = acc_b;
}
