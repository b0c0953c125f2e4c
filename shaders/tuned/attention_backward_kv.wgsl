// As attention_backward_kv of plain/attention_backward.wgsl; with its sibling 25 times as fast on a
// software driver (16 lanes), for the reasons of attention.wgsl.
//
// Bindings: packed queries [lists, Q] of the lists that this grid is for; packed
// keys [B, Nk, HEADS] or, if LISTED, [B, G, HEADS, K]; key_rows [G·K] u32 (not read if LISTED);
// outputs dk [B, G·K, HEADS·DK], dv [B, G·K, HEADS·DV]; all f32.
// Constants as attention.wgsl, but FOURS = ⌈(DK + DV + 2) / 4⌉ of a packed query; Params as there.
// Grid: as there, a tile being R·LANES key slots, walking over the queries of their group.

import package::lib::index::{Grid, index};
import package::lib::attention::{p, LOW, START, DELTA, KEY_FOURS};
import package::lib::attention_tile::{tile_of, STEP, LOADS, part_start, spread_number};
import package::lib::exp2::powers_of_2;
import package::lib::spread::spread;
import package::lib::vec::V;
import constants::{WG, LANES, R, BLOCK, HEADS, DK, DV, FOURS, LISTED};

@group(0) @binding(0) var<storage, read> queries: array<V>;
@group(0) @binding(1) var<storage, read> keys: array<V>;
@group(0) @binding(2) var<storage, read> key_rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> dk: array<f32>;
@group(0) @binding(4) var<storage, read_write> dv: array<f32>;

@compute @workgroup_size(WG)
fn attention_backward_kv(grid: Grid) {
    let number = min(index(grid) / LANES, p.count - 1u);
    let lane = grid.local % LANES;
    let tile = tile_of(number, lane, p.keys);

    var key: array<array<f32, DK>, R>;
    var value: array<array<f32, DV>, R>;
    var key_acc: array<array<f32, DK>, R>;
    var value_acc: array<array<f32, DV>, R>;
    for (var r = 0u; r < R; r++) {
        let j = min(tile.first + r * LANES, p.keys - 1u);
        var i = (p.first + tile.list) * p.keys + j;
        if LISTED == 0u {
            let row = key_rows[tile.group * p.keys + j];
            i = (tile.batch * p.key_rows + row) * HEADS + tile.head;
        }
        var packed = array<V, KEY_FOURS>();
        for (var f = 0u; f < KEY_FOURS; f++) { packed[f] = keys[i * KEY_FOURS + f]; }
        for (var d = 0u; d < DK; d++) {
            key[r][d] = packed[d / 4u][d % 4u];
            key_acc[r][d] = 0.0;
        }
        for (var d = 0u; d < DV; d++) {
            value[r][d] = packed[(DK + d) / 4u][(DK + d) % 4u];
            value_acc[r][d] = 0.0;
        }
    }

    for (var j0 = 0u; j0 < p.queries; j0 += BLOCK) {
        var start = array<f32, BLOCK>(); // of the score: LOW for empty slots and beyond the end
        var delta = array<f32, BLOCK>();
        var qs = array<array<f32, BLOCK>, DK>();
        var dys = array<array<f32, BLOCK>, DV>();
        for (var b = 0u; b < BLOCK; b += STEP) {
            let j = j0 + b + lane % STEP;
            let query = tile.list * p.queries + min(j, p.queries - 1u);
            var part = array<V, LOADS>();
            for (var f = 0u; f < LOADS; f++) {
                part[f] = queries[query * FOURS + part_start(lane / STEP) + f];
            }
            for (var d = 0u; d < DK; d++) {
                let spread_q = spread_number(part, d);
                for (var l = 0u; l < STEP; l++) { qs[d][b + l] = spread_q[l]; }
            }
            for (var d = 0u; d < DV; d++) {
                let spread_dy = spread_number(part, DK + d);
                for (var l = 0u; l < STEP; l++) { dys[d][b + l] = spread_dy[l]; }
            }
            let starts = spread_number(part, START);
            let deltas = spread_number(part, DELTA);
            let beyond = spread(select(LOW, 0.0, j < p.queries));
            for (var l = 0u; l < STEP; l++) {
                start[b + l] = starts[l] + beyond[l];
                delta[b + l] = deltas[l];
            }
        }
        for (var r = 0u; r < R; r++) {
            var s = start;
            for (var d = 0u; d < DK; d++) {
                for (var b = 0u; b < BLOCK; b++) { s[b] = fma(qs[d][b], key[r][d], s[b]); }
            }
            let probability = powers_of_2(s);
            for (var b = 0u; b < BLOCK; b++) {
                for (var d = 0u; d < DV; d++) {
                    value_acc[r][d] = fma(probability[b], dys[d][b], value_acc[r][d]);
                }
            }
            var ds = array<f32, BLOCK>();
            for (var b = 0u; b < BLOCK; b++) { ds[b] = -delta[b]; }
            for (var d = 0u; d < DV; d++) {
                for (var b = 0u; b < BLOCK; b++) { ds[b] = fma(dys[d][b], value[r][d], ds[b]); }
            }
            for (var b = 0u; b < BLOCK; b++) { ds[b] *= probability[b]; }
            for (var b = 0u; b < BLOCK; b++) {
                for (var d = 0u; d < DK; d++) { key_acc[r][d] = fma(ds[b], qs[d][b], key_acc[r][d]); }
            }
        }
    }

    for (var r = 0u; r < R; r++) {
        let i = min(tile.first + r * LANES, p.keys - 1u);
        let slot = (tile.batch * p.groups + tile.group) * p.keys + i;
        let base = slot * HEADS + tile.head;
        for (var d = 0u; d < DK; d++) {
            dk[base * DK + d] = key_acc[r][d] * 0.69314718;
        }
        for (var d = 0u; d < DV; d++) { dv[base * DV + d] = value_acc[r][d]; }
    }
}
