// As plain/conv3x3.wgsl; 57 times as fast on a software driver (16 lanes), because a tile of pixels
// lives in registers, so that every input and every weight is loaded once for many products.
//
// Bindings: as there: x [B, H, W, Ci], w [3, 3, Ci, Co] or its mirror by strides,
// bias [Co], residual as y (not read unless BIAS, RESIDUAL), output y [B, H·R, W·R, Co/R²];
// x, residual and y may be f16.
// Constants: WG (a multiple of LANES); LANES, ROWS, COLS, OUTS; R; BIAS, LEAKY, RESIDUAL (0 or 1).
// Params: count, the teams; h, w, ci, co; where the weights' tap 0 begins, and how far apart their
// taps (modulo 2³², as it may be negative), input and output channels are; slope of LeakyReLU.
// Grid: one team of LANES invocations per tile of ROWS × COLS pixels × LANES·OUTS output channels;
// the tiles of one pixel follow each other and read the same inputs.
//
// The weights are addressed by strides, so the same kernel is conv3x3_backward_x: taps mirrored,
// channels exchanged. Per input channel a lane needs (ROWS+2)(COLS+2) inputs and 9·OUTS weights for
// 9·ROWS·COLS·OUTS multiply-adds. Loads are what costs: where LANES > 1 the lanes differ in channel
// only, so each loads a part of the inputs for all: twelve loads for the 180 of 8×16 pixels by 16 lanes.

import package::lib::index::{Grid, index, reckoned};
import package::lib::spread::spread;
import constants::{WG, LANES, ROWS, COLS, OUTS, R, BIAS, LEAKY, RESIDUAL};

struct Params {
    count: u32, h: u32, w: u32, ci: u32, co: u32,
    w_base: u32, w_tap: u32, w_in: u32, w_out: u32, slope: f32,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<T3>;
@group(0) @binding(4) var<storage, read_write> y: array<T4>;

// The inputs of a tile, row by row, in groups that are loaded by loops of at most 32 rounds.
const WIDTH = COLS + 2u;
const GROUPS = select(1u, ROWS + 2u, LANES < 8u);
const EACH = (ROWS + 2u) * WIDTH / GROUPS;
const LOADS = (EACH + LANES - 1u) / LANES;

@compute @workgroup_size(WG)
fn conv3x3(grid: Grid) {
    let team = index(grid) / LANES;
    let lane = grid.local % LANES;
    if team >= p.count { return; }
    let out_tiles = (p.co + OUTS * LANES - 1u) / (OUTS * LANES);
    let col_tiles = (p.w + COLS - 1u) / COLS;
    let row_tiles = (p.h + ROWS - 1u) / ROWS;
    let o0 = team % out_tiles * (OUTS * LANES) + lane;
    let u0 = team / out_tiles % col_tiles * COLS;
    let band = team / (out_tiles * col_tiles); // b·row_tiles + row tile
    let v0 = band % row_tiles * ROWS;
    let image = band / row_tiles * p.h * p.w;

    // Where a lane's inputs lie; those outside of the image read some pixel inside and count as zero.
    var place: array<array<u32, LOADS>, GROUPS>;
    var inside: array<array<bool, LOADS>, GROUPS>;
    for (var g = 0u; g < GROUPS; g++) {
        for (var j = 0u; j < LOADS; j++) {
            let n = g * EACH + min(j * LANES + lane, EACH - 1u);
            let v = v0 + n / WIDTH; // one more than the row
            let u = u0 + n % WIDTH;
            inside[g][j] = v >= 1u && v <= p.h && u >= 1u && u <= p.w;
            place[g][j] = (image + (clamp(v, 1u, p.h) - 1u) * p.w + clamp(u, 1u, p.w) - 1u) * p.ci;
        }
    }
    var out: array<u32, OUTS>; // what lies outside of the channels computes the last one's values
    for (var o = 0u; o < OUTS; o++) { out[o] = min(o0 + o * LANES, p.co - 1u); }

    var acc: array<array<array<f32, COLS>, ROWS>, OUTS>;
    for (var i = 0u; i < p.ci; i++) {
        var a = array<array<f32, LOADS * LANES>, GROUPS>();
        for (var g = 0u; g < GROUPS; g++) {
            for (var j = 0u; j < LOADS; j++) {
                let all = spread(select(0.0, f32(x[reckoned(place[g][j] + i)]), inside[g][j]));
                for (var l = 0u; l < LANES; l++) { a[g][j * LANES + l] = all[l]; }
            }
        }
        for (var o = 0u; o < OUTS; o++) {
            let first = p.w_base + out[o] * p.w_out + i * p.w_in;
            var k = array<f32, 9>();
            for (var t = 0u; t < 9u; t++) { k[t] = weight[reckoned(first + t * p.w_tap)]; }
            // The nine taps of one output after each other, in a register; their sum is added
            // as one, which leaves a ninth of the rounding errors.
            for (var r = 0u; r < ROWS; r++) {
                for (var q = 0u; q < COLS; q++) {
                    var sum = 0.0;
                    for (var ky = 0u; ky < 3u; ky++) {
                        for (var kx = 0u; kx < 3u; kx++) {
                            let n = (r + ky) * WIDTH + q + kx;
                            sum = fma(a[n / EACH][n % EACH], k[3u * ky + kx], sum);
                        }
                    }
                    acc[o][r][q] += sum;
                }
            }
        }
    }

    let channels = p.co / (R * R);
    var b: array<f32, OUTS>;
    for (var o = 0u; o < OUTS; o++) {
        b[o] = 0.0;
        if BIAS == 1u { b[o] = bias[out[o]]; }
        // From here on: where the channel goes, from the first of its pixel's R×R pixels.
        let part = out[o] % (R * R);
        out[o] = (part / R * p.w * R + part % R) * channels + out[o] / (R * R);
    }
    // Row by row, the sums moving up: stores written out for all rows took most of the time to
    // compile on the software driver.
    for (var v = v0; v < min(v0 + ROWS, p.h); v++) {
        for (var q = 0u; q < COLS; q++) {
            if u0 + q >= p.w { continue; }
            let corner = ((image + v * p.w) * R + u0 + q) * R * channels;
            for (var o = 0u; o < OUTS; o++) {
                if o0 + o * LANES >= p.co { continue; }
                var value = acc[o][0][q] + b[o];
                if LEAKY == 1u { value = select(p.slope * value, value, value > 0.0); }
                let at = corner + out[o];
                if RESIDUAL == 1u { value += f32(residual[at]); }
                y[reckoned(at)] = T4(value);
            }
        }
        for (var o = 0u; o < OUTS; o++) {
            for (var r = 1u; r < ROWS; r++) { acc[o][r - 1u] = acc[o][r]; }
        }
    }
}
