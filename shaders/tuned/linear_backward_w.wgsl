// As linear_backward_w of plain/linear.wgsl, where Ci and Co are multiples of 4; 22 times as fast
// on a software driver (16 lanes), because a tile of sums takes every number of x and dy that it
// needs once.
//
// Bindings: as there, x [N, Ci/4] in fours, dy [N, Co], outputs partial_w [chunks, Co, Ci/4] in
// fours, partial_b [chunks, Co]; all f32.
// Constants: WG; a tile of OUTS·LANES columns × INS4 fours of Ci, which divide Ci; LANES.
// Params: count, the tiles of all chunks; rows, N; ci4 = Ci / 4; co; rows_per_chunk; out_tiles,
// ⌈Co / (OUTS·LANES)⌉.
// Grid: LANES invocations per tile and chunk, tiles innermost; beyond the end, the last again. An
// invocation has OUTS columns, LANES apart; beyond Co, the last again.
//
// The sum is long and the result small, so the rows are split to occupy the device; chunks are
// added up afterwards in fixed order. Short chunks also keep the rounding error small. ROWS rows
// are taken at a time, so that a sum of the tile, which is larger than the registers, is touched
// once for all of them. Every lane loads its columns, and its share of x for all lanes: of a row
// the fours FOURS apart.

import package::lib::index::{Grid, index};
import package::lib::spread::spread;
import constants::{WG, OUTS, INS4, LANES};

struct Params { count: u32, rows: u32, ci4: u32, co: u32, rows_per_chunk: u32, out_tiles: u32 }
var<immediate> p: Params;

const ROWS = min(LANES, 8u);
const FOURS = LANES / ROWS;
const LOADS = (INS4 + FOURS - 1u) / FOURS;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial_w: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partial_b: array<f32>;

@compute @workgroup_size(WG)
fn linear_backward_w(grid: Grid) {
    let tile = min(index(grid) / LANES, p.count - 1u);
    let lane = grid.local % LANES;
    let in_tiles = p.ci4 / INS4;
    let i0 = tile % in_tiles * INS4;
    let chunk = tile / (in_tiles * p.out_tiles);
    let end = min((chunk + 1u) * p.rows_per_chunk, p.rows);
    var o: array<u32, OUTS>;
    for (var c = 0u; c < OUTS; c++) {
        o[c] = min(((tile / in_tiles % p.out_tiles) * OUTS + c) * LANES + lane, p.co - 1u);
    }

    var acc: array<array<array<array<f32, 4>, FOURS>, LOADS>, OUTS>;
    var acc_b: array<f32, OUTS>;
    for (var n0 = chunk * p.rows_per_chunk; n0 < end; n0 += ROWS) {
        var a = array<array<f32, ROWS>, OUTS>(); // zero beyond the last row
        for (var r = 0u; r < ROWS; r++) {
            let n = min(n0 + r, end - 1u);
            for (var c = 0u; c < OUTS; c++) {
                a[c][r] = select(0.0, dy[n * p.co + o[c]], n0 + r < end);
                acc_b[c] += a[c][r];
            }
        }
        let n = min(n0 + lane % ROWS, end - 1u);
        for (var j = 0u; j < LOADS; j++) {
            let share = x[n * p.ci4 + i0 + min(j * FOURS + lane / ROWS, INS4 - 1u)];
            for (var e = 0u; e < 4u; e++) {
                let b = spread(share[e]);
                for (var f = 0u; f < FOURS; f++) {
                    for (var c = 0u; c < OUTS; c++) {
                        var sum = acc[c][j][f][e];
                        for (var r = 0u; r < ROWS; r++) {
                            sum = fma(a[c][r], b[f * ROWS + r], sum);
                        }
                        acc[c][j][f][e] = sum;
                    }
                }
            }
        }
    }
    for (var c = 0u; c < OUTS; c++) {
        let at = chunk * p.co + o[c];
        for (var j = 0u; j < LOADS; j++) {
            for (var f = 0u; f < FOURS; f++) {
                let sum = acc[c][j][f];
                let i = i0 + min(j * FOURS + f, INS4 - 1u);
                partial_w[at * p.ci4 + i] = vec4f(sum[0], sum[1], sum[2], sum[3]);
            }
        }
        if i0 == 0u { partial_b[at] = acc_b[c]; } // the same in all tiles of these columns
    }
}
