// As plain/linear.wgsl, where Ci and Co are multiples of 4; 20 times as fast on a software driver
// (16 lanes), because a tile's rows stay in registers while the weights pass by, each of them
// loaded once for R·LANES rows.
//
// Bindings: as there, in fours: x [N, Ci/4], w [Co, Ci/4], bias [Co] in single numbers,
// residual [N, Co/4] (not read unless BIAS, RESIDUAL), outputs y [N, Co/4] and, only if
// KEEP, kept [N, Co/4]. x, residual and y may be f16. linear_backward_x is this with x = dy
// and w transposed before.
// Constants: WG; VEC (1); CI4 = Ci / 4, CO4 = Co / 4; R rows × OUTS columns per
// invocation, OUTS divides Co; INS4 fours of Ci in each of CHUNKS chunks; LANES; BIAS,
// GELU, RESIDUAL, KEEP (0 or 1).
// Params: rows, N; row_tiles, ⌈N / (R·LANES)⌉.
// Grid: x and z number the row tiles, y the column tiles: LANES invocations make
// R·LANES rows × OUTS.
//
// The rows of a tile stay in registers (or where the compiler keeps what those do not hold, which
// is nearly as near) while the columns pass by, STEP of them at a time: every lane loads some
// fours of their weights, which are then spread. So a tile loads INS4·(4·R + OUTS·4 / LANES)
// numbers, by fours, for 4·INS4·R·OUTS multiply-adds, and a sum is in a register from its bias to
// its end if Ci is one chunk: else it lies in acc between them, which is dear (a loop over the lanes
// for every number), so nothing of acc is left where CHUNKS is 1. Nothing branches: rows beyond the end repeat the last one and store
// its values once more. (The software driver's loads and stores take half the time where no lane
// can be switched off.)

import package::lib::index::{Grid, reckoned};
import package::lib::erf::gelu_of;
import package::lib::spread::spread;
import constants::{WG, CI4, CO4, R, OUTS, INS4, CHUNKS, LANES, BIAS, GELU, RESIDUAL, KEEP};

struct Params { rows: u32, row_tiles: u32 }
var<immediate> p: Params;

// Columns at a time: rows and weights of a step shall fit a cache of 32 KiB, and chunks are longer.
const STEP = max(LANES / select(2u, 4u, CHUNKS > 1u), 4u);
const STEPS = (OUTS + STEP - 1u) / STEP;
const LOADS = (STEP * INS4 + LANES - 1u) / LANES; // fours of weights for each lane

@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> w: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<vec4<T3>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<T4>>;
@group(0) @binding(5) var<storage, read_write> kept: array<vec4f>;

@compute @workgroup_size(WG)
fn linear(grid: Grid) {
    let invocation = (grid.id.z * grid.groups.x + grid.id.x) * WG + grid.local;
    let tile = min(invocation / LANES, p.row_tiles - 1u);
    let lane = grid.local % LANES;
    let column = grid.id.y * OUTS;
    var n: array<u32, R>;
    for (var r = 0u; r < R; r++) { n[r] = min((tile * R + r) * LANES + lane, p.rows - 1u); }

    var acc: array<array<array<f32, STEP>, STEPS + 1u>, R>; // between chunks
    for (var chunk = 0u; chunk < CHUNKS; chunk += 1u) { // stays a loop
        var row = array<array<vec4f, INS4>, R>();
        for (var h = 0u; h < INS4; h++) {
            let i4 = min(chunk * INS4 + h, CI4 - 1u);
            for (var r = 0u; r < R; r++) { row[r][h] = vec4f(x[reckoned(n[r] * CI4 + i4)]); }
        }
        // Unrolled, it would outgrow the instruction cache; acc is longer than it, so that Mesa does
        // not unroll it for acc's sake.
        for (var c = 0u; c < STEPS; c += 1u) { // stays a loop
            var weight = array<array<array<f32, 4>, INS4>, STEP>(); // zero beyond Ci
            var part = array<vec4f, LOADS>();
            for (var i = 0u; i < LOADS; i++) {
                let piece = min(i * LANES + lane, STEP * INS4 - 1u);
                let h = chunk * INS4 + piece % INS4;
                let at = column_of(column, c, piece / INS4) * CI4 + min(h, CI4 - 1u);
                part[i] = w[reckoned(at)];
                if CI4 % INS4 != 0u { part[i] = select(vec4f(), part[i], h < CI4); }
            }
            for (var i = 0u; i < LOADS; i++) {
                for (var e = 0u; e < 4u; e++) {
                    let values = spread(part[i][e]);
                    for (var l = 0u; l < LANES; l++) {
                        let at = min(i * LANES + l, STEP * INS4 - 1u);
                        weight[at / INS4][at % INS4][e] = values[l];
                    }
                }
            }
            let starts = bias_of(column, c, lane);
            var sum = array<array<f32, STEP>, R>();
            for (var s = 0u; s < STEP; s++) {
                for (var r = 0u; r < R; r++) {
                    sum[r][s] = starts[s];
                    if CHUNKS > 1u && chunk > 0u { sum[r][s] = acc[r][c][s]; }
                }
                for (var h = 0u; h < INS4; h++) {
                    for (var e = 0u; e < 4u; e++) {
                        for (var r = 0u; r < R; r++) {
                            sum[r][s] = fma(row[r][h][e], weight[s][h][e], sum[r][s]);
                        }
                    }
                }
            }
            if CHUNKS > 1u && chunk + 1u < CHUNKS {
                for (var r = 0u; r < R; r++) { acc[r][c] = sum[r]; }
                continue;
            }
            for (var r = 0u; r < R; r++) {
                for (var s = 0u; s < STEP; s += 4u) {
                    let at = reckoned(n[r] * CO4 + column_of(column, c, s) / 4u);
                    var four = vec4f(sum[r][s], sum[r][s + 1u], sum[r][s + 2u], sum[r][s + 3u]);
                    if KEEP == 1u { kept[at] = four; }
                    if GELU == 1u {
                        for (var e = 0u; e < 4u; e++) { four[e] = gelu_of(four[e]); }
                    }
                    if RESIDUAL == 1u { four += vec4f(residual[at]); }
                    y[at] = vec4<T4>(four);
                }
            }
        }
    }
}

// The s-th column of a step; of fours beyond the tile, the last once more.
fn column_of(tile: u32, step: u32, s: u32) -> u32 {
    return tile + min(step * STEP + s / 4u * 4u, OUTS - 4u) + s % 4u;
}

// The bias of a step's columns: lanes load one each where there are enough.
fn bias_of(tile: u32, step: u32, lane: u32) -> array<f32, STEP> {
    var starts: array<f32, STEP>;
    if BIAS == 0u { return starts; }
    if LANES >= STEP {
        let values = spread(bias[reckoned(column_of(tile, step, min(lane, STEP - 1u)))]);
        for (var s = 0u; s < STEP; s++) { starts[s] = values[min(s, LANES - 1u)]; }
    } else {
        for (var s = 0u; s < STEP; s++) { starts[s] = bias[column_of(tile, step, s)]; }
    }
    return starts;
}
