// As plain/depthwise5x5.wgsl; 11 times as fast on a software driver (16 lanes), because every input
// is loaded once per strip, for 25 multiply-adds.
//
// Bindings: as there, where C counts V's: x [B, H, W, C], w [5, 5, C], bias [C], residual as y
// (not read unless BIAS, RESIDUAL), outputs y [B, H, W, C] and, only if KEEP,
// kept [B, H, W, C]. x and y may be f16.
// Constants: WG; VEC channels in a V (1 or 4); ROWS, COLS of a strip; BIAS, MIRROR, GELU_ADD,
// RESIDUAL, KEEP (0 or 1).
// Params: count, the invocations; h, w; c, in V's.
// Grid: one invocation per V and strip of ROWS × COLS pixels, channels innermost.
//
// An invocation walks down its strip with the sums of the five output rows that an input row
// reaches in registers. With MIRROR the taps are mirrored: depthwise5x5_backward_x, x being dy.
// With GELU_ADD, x + gelu(y) is stored instead of y, which saves two passes over memory; that x was
// an input two rows ago.

import package::lib::index::{Grid, index_below};
import package::lib::erf::gelu_of;
import package::lib::vec::V;
import constants::{WG, ROWS, COLS, BIAS, MIRROR, GELU_ADD, RESIDUAL, KEEP};

struct Params { count: u32, h: u32, w: u32, c: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> weight: array<V>;
@group(0) @binding(2) var<storage, read> bias: array<V>;
@group(0) @binding(3) var<storage, read> residual: array<V>;
@group(0) @binding(4) var<storage, read_write> y: array<V4>;
@group(0) @binding(5) var<storage, read_write> kept: array<V>;

@compute @workgroup_size(WG)
fn depthwise5x5(grid: Grid) {
    let strip = index_below(grid, p.count); // at the end, again
    let col_tiles = (p.w + COLS - 1u) / COLS;
    let row_tiles = (p.h + ROWS - 1u) / ROWS;
    let c = strip % p.c;
    let u0 = strip / p.c % col_tiles * COLS;
    let band = strip / (p.c * col_tiles); // b·row_tiles + row tile
    let v0 = band % row_tiles * ROWS;
    let image = band / row_tiles * p.h * p.w;

    var k: array<V, 25>;
    for (var t = 0u; t < 25u; t++) {
        k[t] = weight[select(t, 24u - t, MIRROR == 1u) * p.c + c];
    }
    var b = V(0.0);
    if BIAS == 1u { b = bias[c]; }
    var col: array<u32, COLS + 4u>;
    var col_inside: array<bool, COLS + 4u>;
    for (var q = 0u; q < COLS + 4u; q++) {
        let u = u0 + q; // two more than the column
        col_inside[q] = u >= 2u && u < p.w + 2u;
        col[q] = (clamp(u, 2u, p.w + 1u) - 2u) * p.c + c;
    }

    var before: array<array<V, COLS>, 2>; // this strip's part of the last two input rows
    var acc: array<array<V, COLS>, 5>; // of output rows v−2 … v+2 around input row v
    for (var q = 0u; q < COLS; q++) {
        for (var j = 0u; j < 5u; j++) { acc[j][q] = b; }
    }
    let end = min(v0 + ROWS, p.h);
    for (var n = v0; n < end + 4u; n++) { // n = v + 2
        let inside = n >= 2u && n < p.h + 2u;
        let row = (image + (clamp(n, 2u, p.h + 1u) - 2u) * p.w) * p.c;
        var a = array<V, COLS + 4u>();
        for (var q = 0u; q < COLS + 4u; q++) {
            a[q] = select(V(0.0), V(x[row + col[q]]), inside && col_inside[q]);
        }
        for (var j = 0u; j < 5u; j++) {
            for (var q = 0u; q < COLS; q++) {
                var sum = acc[j][q];
                for (var kx = 0u; kx < 5u; kx++) {
                    sum = fma(a[q + kx], k[(4u - j) * 5u + kx], sum);
                }
                acc[j][q] = sum;
            }
        }
        if n >= v0 + 4u { // output row n − 4 is complete
            for (var q = 0u; q < COLS; q++) {
                if u0 + q < p.w {
                    let at = (image + (n - 4u) * p.w + u0 + q) * p.c + c;
                    var value = acc[0][q];
                    if KEEP == 1u { kept[at] = value; }
                    if GELU_ADD == 1u { value = before[0][q] + gelu_of(value); }
                    if RESIDUAL == 1u { value += residual[at]; }
                    y[at] = V4(value);
                }
            }
        }
        for (var q = 0u; q < COLS; q++) {
            for (var j = 0u; j < 4u; j++) { acc[j][q] = acc[j + 1u][q]; }
            before[0][q] = before[1][q];
            before[1][q] = a[q + 2u];
            acc[4][q] = b;
        }
    }
}
