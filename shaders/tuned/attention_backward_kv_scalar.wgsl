// As attention_backward_kv of plain/attention_backward.wgsl; for GPUs, for the reasons of
// attention_scalar.wgsl.
//
// Bindings: packed queries [B, G, HEADS, Q]; packed keys [B, Nk, HEADS]; key_rows [G·K] u32; outputs
// dk [B, G·K, HEADS·DK], dv [B, G·K, HEADS·DV]; all f32.
// Params: lib/attention.wgsl. Constants and grid as there, but FOURS = ⌈(DK + DV + 2) / 4⌉ of a packed query, and less
// BLOCK: R key slots an invocation, walking over the queries of their group, one at a time.

import package::lib::index::Grid;
import package::lib::attention::{p, START, DELTA, KEY_FOURS};
import package::lib::attention_slots::slots_of;
import package::lib::vec::V;
import constants::{WG, R, HEADS, DK, DV, FOURS};

@group(0) @binding(0) var<storage, read> queries: array<V>;
@group(0) @binding(1) var<storage, read> keys: array<V>;
@group(0) @binding(2) var<storage, read> key_rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> dk: array<f32>;
@group(0) @binding(4) var<storage, read_write> dv: array<f32>;

@compute @workgroup_size(WG)
fn attention_backward_kv(grid: Grid) {
    let tile = slots_of(grid, p.keys);

    var key: array<array<f32, DK>, R>;
    var value: array<array<f32, DV>, R>;
    var key_acc: array<array<f32, DK>, R>;
    var value_acc: array<array<f32, DV>, R>;
    for (var r = 0u; r < R; r++) {
        let j = min(tile.first + r * WG, p.keys - 1u);
        let row = key_rows[tile.list.group * p.keys + j];
        let at = (tile.list.batch * p.key_rows + row) * HEADS + tile.list.head;
        var packed = array<V, KEY_FOURS>();
        for (var f = 0u; f < KEY_FOURS; f++) { packed[f] = keys[at * KEY_FOURS + f]; }
        for (var d = 0u; d < DK; d++) { key[r][d] = packed[d / 4u][d % 4u]; }
        for (var d = 0u; d < DV; d++) { value[r][d] = packed[(DK + d) / 4u][(DK + d) % 4u]; }
    }

    for (var j = 0u; j < p.queries; j++) {
        let at = tile.number * p.queries + j;
        var query = array<V, FOURS>();
        for (var f = 0u; f < FOURS; f++) { query[f] = queries[at * FOURS + f]; }
        for (var r = 0u; r < R; r++) {
            var s = query[START / 4u][START % 4u]; // LOW for an empty slot
            for (var d = 0u; d < DK; d++) { s = fma(query[d / 4u][d % 4u], key[r][d], s); }
            let probability = exp2(s);
            var ds = -query[DELTA / 4u][DELTA % 4u];
            for (var d = 0u; d < DV; d++) {
                let dy = query[(DK + d) / 4u][(DK + d) % 4u];
                ds = fma(dy, value[r][d], ds);
                value_acc[r][d] = fma(probability, dy, value_acc[r][d]);
            }
            ds *= probability;
            for (var d = 0u; d < DK; d++) {
                key_acc[r][d] = fma(ds, query[d / 4u][d % 4u], key_acc[r][d]);
            }
        }
    }

    for (var r = 0u; r < R; r++) {
        let i = min(tile.first + r * WG, p.keys - 1u);
        let slot = (tile.list.batch * p.groups + tile.list.group) * p.keys + i;
        let base = slot * HEADS + tile.list.head;
        for (var d = 0u; d < DK; d++) { dk[base * DK + d] = key_acc[r][d] * 0.69314718; }
        for (var d = 0u; d < DV; d++) { dv[base * DV + d] = value_acc[r][d]; }
    }
}
