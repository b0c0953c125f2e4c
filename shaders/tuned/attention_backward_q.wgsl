// As attention_backward_q of plain/attention_backward.wgsl; with its sibling 25 times as fast on a
// software driver (16 lanes), for the reasons of attention.wgsl.
//
// Bindings: packed queries [B, G, HEADS, Q]; packed keys and key_rows as attention.wgsl has them;
// output dq [B, S, HEADS·DK]; all f32.
// Constants, Params and grid as there: R query slots in registers, walking over the keys.
// attention_backward_kv.wgsl holds the keys and walks over the queries.

import package::lib::index::{Grid, index};
import package::lib::attention::{p, LOW, START, DELTA, QUERY_FOURS};
import package::lib::attention_tile::{tile_of, STEP, spread_number};
import package::lib::attention_keys::key_part;
import package::lib::exp2::powers_of_2;
import package::lib::spread::spread;
import package::lib::vec::V;
import constants::{WG, LANES, R, BLOCK, HEADS, DK, DV};

@group(0) @binding(0) var<storage, read> queries: array<V>;
@group(0) @binding(3) var<storage, read_write> dq: array<f32>;

@compute @workgroup_size(WG)
fn attention_backward_q(grid: Grid) {
    let number = min(index(grid) / LANES, p.count - 1u);
    let lane = grid.local % LANES;
    let tile = tile_of(number, lane, p.queries);
    let slots = p.groups * p.queries;

    var qs: array<array<f32, DK>, R>;
    var dys: array<array<f32, DV>, R>;
    var acc: array<array<f32, DK>, R>;
    var offset: array<f32, R>;
    var delta: array<f32, R>;
    for (var r = 0u; r < R; r++) {
        let i = (p.first + tile.list) * p.queries + min(tile.first + r * LANES, p.queries - 1u);
        var query = array<V, QUERY_FOURS>();
        for (var f = 0u; f < QUERY_FOURS; f++) { query[f] = queries[i * QUERY_FOURS + f]; }
        for (var d = 0u; d < DK; d++) {
            qs[r][d] = query[d / 4u][d % 4u];
            acc[r][d] = 0.0;
        }
        for (var d = 0u; d < DV; d++) { dys[r][d] = query[(DK + d) / 4u][(DK + d) % 4u]; }
        offset[r] = query[START / 4u][START % 4u];
        delta[r] = query[DELTA / 4u][DELTA % 4u];
    }

    for (var j0 = 0u; j0 < p.keys; j0 += BLOCK) {
        var start = array<f32, BLOCK>(); // of the score: LOW beyond the last key
        var key = array<array<f32, BLOCK>, DK>();
        var value = array<array<f32, BLOCK>, DV>();
        for (var b = 0u; b < BLOCK; b += STEP) {
            let j = j0 + b + lane % STEP;
            let part = key_part(tile, lane, j);
            let starts = spread(select(LOW, 0.0, j < p.keys));
            for (var l = 0u; l < STEP; l++) { start[b + l] = starts[l]; }
            for (var d = 0u; d < DK; d++) {
                let spread_k = spread_number(part, d);
                for (var l = 0u; l < STEP; l++) { key[d][b + l] = spread_k[l]; }
            }
            for (var d = 0u; d < DV; d++) {
                let spread_v = spread_number(part, DK + d);
                for (var l = 0u; l < STEP; l++) { value[d][b + l] = spread_v[l]; }
            }
        }
        for (var r = 0u; r < R; r++) {
            var s = start;
            for (var b = 0u; b < BLOCK; b++) { s[b] += offset[r]; }
            for (var d = 0u; d < DK; d++) {
                for (var b = 0u; b < BLOCK; b++) { s[b] = fma(qs[r][d], key[d][b], s[b]); }
            }
            let probability = powers_of_2(s);
            var ds = array<f32, BLOCK>();
            for (var b = 0u; b < BLOCK; b++) { ds[b] = -delta[r]; }
            for (var d = 0u; d < DV; d++) {
                for (var b = 0u; b < BLOCK; b++) { ds[b] = fma(dys[r][d], value[d][b], ds[b]); }
            }
            for (var b = 0u; b < BLOCK; b++) { ds[b] *= probability[b]; }
            for (var b = 0u; b < BLOCK; b++) {
                for (var d = 0u; d < DK; d++) { acc[r][d] = fma(ds[b], key[d][b], acc[r][d]); }
            }
        }
    }

    for (var r = 0u; r < R; r++) {
        let i = min(tile.first + r * LANES, p.queries - 1u);
        let base = ((tile.batch * slots + tile.group * p.queries + i) * HEADS + tile.head) * DK;
        for (var d = 0u; d < DK; d++) { dq[base + d] = acc[r][d] * (p.scale * 0.69314718); }
    }
}
