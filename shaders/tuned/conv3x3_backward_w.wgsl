// As conv3x3_backward_w of plain/conv3x3.wgsl; 30 times as fast on a software driver (16 lanes),
// because a team's lanes share what they load, and hold many sums for it.
//
// Bindings: as there: x [B, H, W, Ci], dy [B, H, W, Co], outputs partial_w [chunks, 3, 3, Ci, Co],
// partial_b [chunks, Co]; all f32.
// Constants: WG (a multiple of LANES); LANES, INS, OUTS, STEP.
// Params: count, the teams; rows, B·H; rows_per_chunk; h, w, ci, co.
// Grid: one team of LANES invocations per chunk, ky and tile of LANES·INS × LANES·OUTS channels.
//
// A team walks along its rows, STEP pixels at a time. Each lane has output channels of its own and
// all of the tile's inputs, of which it loads its part for all: 3·LANES·INS·OUTS sums in registers
// for INS + OUTS loads a pixel, since the two columns that neighbouring steps share stay.

import package::lib::index::{Grid, index};
import package::lib::spread::spread;
import constants::{WG, LANES, INS, OUTS, STEP};

struct Params { count: u32, rows: u32, rows_per_chunk: u32, h: u32, w: u32, ci: u32, co: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial_w: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial_b: array<f32>;

@compute @workgroup_size(WG)
fn conv3x3_backward_w(grid: Grid) {
    let team = index(grid) / LANES;
    let lane = grid.local % LANES;
    if team >= p.count { return; }
    let out_tiles = (p.co + OUTS * LANES - 1u) / (OUTS * LANES);
    let in_tiles = (p.ci + INS * LANES - 1u) / (INS * LANES);
    let o0 = team % out_tiles * (OUTS * LANES) + lane;
    let i0 = team / out_tiles % in_tiles * (INS * LANES);
    let ky = team / (out_tiles * in_tiles) % 3u;
    let chunk = team / (3u * out_tiles * in_tiles);
    var own: array<u32, INS>; // the inputs that this lane loads; beyond the last: the last
    for (var i = 0u; i < INS; i++) { own[i] = min(i0 + i * LANES + lane, p.ci - 1u); }
    var out: array<u32, OUTS>;
    for (var o = 0u; o < OUTS; o++) { out[o] = min(o0 + o * LANES, p.co - 1u); }

    var acc: array<array<array<array<f32, 3>, OUTS>, LANES>, INS>; // [i][lane][o][kx]
    var acc_b: array<f32, OUTS>;
    let last = min((chunk + 1u) * p.rows_per_chunk, p.rows);
    for (var row = chunk * p.rows_per_chunk; row < last; row++) {
        let v = row % p.h + ky; // one more than the input's row
        if v < 1u || v > p.h { continue; }
        let x_row = (row + ky - 1u) * p.w;
        var a = array<array<array<f32, STEP + 2u>, LANES>, INS>(); // columns u−1 … u+STEP of the inputs
        for (var i = 0u; i < INS; i++) {
            let all = spread(x[x_row * p.ci + own[i]]);
            for (var l = 0u; l < LANES; l++) {
                a[i][l][0] = 0.0;
                a[i][l][1] = all[l];
            }
        }
        for (var u = 0u; u < p.w; u += STEP) {
            for (var s = 0u; s < STEP; s++) {
                let next = u + s + 1u;
                let at = (x_row + min(next, p.w - 1u)) * p.ci;
                for (var i = 0u; i < INS; i++) {
                    let all = spread(select(0.0, x[at + own[i]], next < p.w));
                    for (var l = 0u; l < LANES; l++) { a[i][l][s + 2u] = all[l]; }
                }
            }
            for (var o = 0u; o < OUTS; o++) {
                var g = array<f32, STEP>();
                var sum_b = 0.0;
                for (var s = 0u; s < STEP; s++) {
                    let at = (row * p.w + min(u + s, p.w - 1u)) * p.co;
                    g[s] = select(0.0, dy[at + out[o]], u + s < p.w);
                    sum_b += g[s];
                }
                acc_b[o] += sum_b;
                for (var i = 0u; i < INS; i++) {
                    for (var l = 0u; l < LANES; l++) {
                        for (var kx = 0u; kx < 3u; kx++) {
                            var sum = acc[i][l][o][kx];
                            for (var s = 0u; s < STEP; s++) { sum = fma(a[i][l][s + kx], g[s], sum); }
                            acc[i][l][o][kx] = sum;
                        }
                    }
                }
            }
            for (var i = 0u; i < INS; i++) {
                for (var l = 0u; l < LANES; l++) {
                    a[i][l][0] = a[i][l][STEP];
                    a[i][l][1] = a[i][l][STEP + 1u];
                }
            }
        }
    }

    // The first INS-th of the sums, again and again, the others moving up: stores written out for
    // all took most of the time to compile on the software driver.
    for (var i = i0; i < min(i0 + INS * LANES, p.ci); i += LANES) {
        for (var l = 0u; l < LANES; l++) {
            for (var o = 0u; o < OUTS; o++) {
                if i + l >= p.ci || o0 + o * LANES >= p.co { continue; }
                for (var kx = 0u; kx < 3u; kx++) {
                    let tap = (chunk * 3u + ky) * 3u + kx;
                    partial_w[(tap * p.ci + i + l) * p.co + out[o]] = acc[0][l][o][kx];
                }
            }
        }
        for (var l = 0u; l < LANES; l++) {
            for (var o = 0u; o < OUTS; o++) {
                for (var j = 1u; j < INS; j++) { acc[j - 1u][l][o] = acc[j][l][o]; }
            }
        }
    }
    if ky == 1u && i0 == 0u { // the middle tap meets every row of dy
        for (var o = 0u; o < OUTS; o++) {
            if o0 + o * LANES < p.co { partial_b[chunk * p.co + out[o]] = acc_b[o]; }
        }
    }
}
