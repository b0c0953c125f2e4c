// As plain/conv3x3.wgsl; for GPUs. All invocations of a workgroup make the same output channels, so
// that a weight is loaded once for a subgroup, and a multiply-add takes it as a scalar.
//
// Bindings: as there: x [B, H, W, Ci/VEC], packed weights [Ci, 3, 3, CO4] in fours (conv3x3_pack.wgsl),
// bias [Co], residual as y (not read unless BIAS, RESIDUAL), output y [B, H·R, W·R, Co/R²]; x, residual
// and y may be f16.
// Constants: WG; VEC input channels in a V (1 or 4); COLS pixels × OUTS4 fours of output channels per
// invocation, OUTS4 divides CO4 = ⌈Co / 4⌉; R; BIAS, LEAKY, RESIDUAL (0 or 1).
// Params: count, the strips; h, w; ci, in V's; co; slope of LeakyReLU.
// Grid: x and z number workgroups of WG strips, y the tiles of output channels. A strip is COLS pixels
// of a row; those beyond the end repeat the last.
//
// Per V and row of taps an invocation loads COLS + 2 V's of its own, and 3·VEC·OUTS4 fours that all
// share, for 12·VEC·COLS·OUTS4 multiply-adds: 80 % of the loop on RDNA 3, where conv3x3.wgsl has 50 %
// and three waves.

import package::lib::index::Grid;
import package::lib::vec::V;
import constants::{WG, VEC, COLS, OUTS4, CO4, R, BIAS, LEAKY, RESIDUAL};

struct Params { count: u32, h: u32, w: u32, ci: u32, co: u32, slope: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<T3>;
@group(0) @binding(4) var<storage, read_write> y: array<T4>;

@compute @workgroup_size(WG)
fn conv3x3(grid: Grid) {
    let strip = min((grid.id.z * grid.groups.x + grid.id.x) * WG + grid.local, p.count - 1u);
    let o0 = grid.id.y * OUTS4;
    let col_tiles = (p.w + COLS - 1u) / COLS;
    let u0 = strip % col_tiles * COLS;
    let line = strip / col_tiles; // b·H + v
    let v = line % p.h;

    // Where the inputs lie; those outside of the image read some pixel inside and count as zero.
    var col: array<u32, COLS + 2u>;
    var col_inside: array<bool, COLS + 2u>;
    for (var q = 0u; q < COLS + 2u; q++) {
        let u = u0 + q; // one more than the column
        col_inside[q] = u >= 1u && u <= p.w;
        col[q] = (clamp(u, 1u, p.w) - 1u) * p.ci;
    }

    var acc: array<array<vec4f, OUTS4>, COLS>;
    for (var i = 0u; i < p.ci; i++) {
        for (var ky = 0u; ky < 3u; ky++) {
            let inside = v + ky >= 1u && v + ky <= p.h;
            let row = (line - v + clamp(v + ky, 1u, p.h) - 1u) * p.w * p.ci + i;
            var a = array<vec4f, COLS + 2u>(); // the first VEC numbers count
            for (var q = 0u; q < COLS + 2u; q++) {
                a[q] = vec4f(select(V(), V(x[row + col[q]]), inside && col_inside[q]));
            }
            for (var kx = 0u; kx < 3u; kx++) {
                for (var e = 0u; e < VEC; e++) {
                    let first = ((i * VEC + e) * 9u + 3u * ky + kx) * CO4 + o0;
                    for (var o = 0u; o < OUTS4; o++) {
                        let k = weight[first + o];
                        for (var q = 0u; q < COLS; q++) {
                            acc[q][o] = fma(vec4f(a[q + kx][e]), k, acc[q][o]);
                        }
                    }
                }
            }
        }
    }

    let channels = p.co / (R * R);
    for (var q = 0u; q < COLS; q++) {
        if u0 + q >= p.w { continue; }
        let corner = (line * p.w * R + u0 + q) * R * channels;
        for (var o = 0u; o < 4u * OUTS4; o++) {
            let out = 4u * o0 + o;
            if out >= p.co { continue; }
            var value = acc[q][o / 4u][o % 4u];
            if BIAS == 1u { value += bias[out]; }
            if LEAKY == 1u { value = select(p.slope * value, value, value > 0.0); }
            // Where the channel goes, from the first of its pixel's R×R pixels.
            let part = out % (R * R);
            let at = corner + (part / R * p.w * R + part % R) * channels + out / (R * R);
            if RESIDUAL == 1u { value += f32(residual[at]); }
            y[at] = T4(value);
        }
    }
}
