// As attention_backward_q of plain/attention_backward.wgsl; for GPUs, for the reasons of
// attention_scalar.wgsl.
//
// Bindings: packed queries [B, G, HEADS, Q]; packed keys [B, Nk, HEADS]; key_rows [G·K] u32;
// output dq [B, S, HEADS·DK]; all f32.
// Constants and grid as there, less BLOCK: a key at a time. Params: lib/attention.wgsl.

import package::lib::index::Grid;
import package::lib::attention::{p, START, DELTA, QUERY_FOURS};
import package::lib::attention_slots::slots_of;
import package::lib::vec::V;
import constants::{WG, R, HEADS, DK, DV, FOURS};

@group(0) @binding(0) var<storage, read> queries: array<V>;
@group(0) @binding(1) var<storage, read> keys: array<V>;
@group(0) @binding(2) var<storage, read> key_rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> dq: array<f32>;

@compute @workgroup_size(WG)
fn attention_backward_q(grid: Grid) {
    let tile = slots_of(grid, p.queries);

    var qs: array<array<f32, DK>, R>;
    var dys: array<array<f32, DV>, R>;
    var acc: array<array<f32, DK>, R>;
    var start: array<f32, R>;
    var delta: array<f32, R>;
    for (var r = 0u; r < R; r++) {
        let i = tile.number * p.queries + min(tile.first + r * WG, p.queries - 1u);
        var query = array<V, QUERY_FOURS>();
        for (var f = 0u; f < QUERY_FOURS; f++) { query[f] = queries[i * QUERY_FOURS + f]; }
        for (var d = 0u; d < DK; d++) { qs[r][d] = query[d / 4u][d % 4u]; }
        for (var d = 0u; d < DV; d++) { dys[r][d] = query[(DK + d) / 4u][(DK + d) % 4u]; }
        start[r] = query[START / 4u][START % 4u];
        delta[r] = query[DELTA / 4u][DELTA % 4u];
    }

    for (var j = 0u; j < p.keys; j++) {
        let row = key_rows[tile.list.group * p.keys + j];
        let at = (tile.list.batch * p.key_rows + row) * HEADS + tile.list.head;
        var key = array<V, FOURS>();
        for (var f = 0u; f < FOURS; f++) { key[f] = keys[at * FOURS + f]; }
        for (var r = 0u; r < R; r++) {
            var s = start[r];
            for (var d = 0u; d < DK; d++) { s = fma(qs[r][d], key[d / 4u][d % 4u], s); }
            var ds = -delta[r];
            for (var d = 0u; d < DV; d++) {
                ds = fma(dys[r][d], key[(DK + d) / 4u][(DK + d) % 4u], ds);
            }
            ds *= exp2(s);
            for (var d = 0u; d < DK; d++) { acc[r][d] = fma(ds, key[d / 4u][d % 4u], acc[r][d]); }
        }
    }

    for (var r = 0u; r < R; r++) {
        let i = min(tile.first + r * WG, p.queries - 1u);
        let slot = (tile.list.batch * p.groups + tile.list.group) * p.queries + i;
        let base = (slot * HEADS + tile.list.head) * DK;
        for (var d = 0u; d < DK; d++) { dq[base + d] = acc[r][d] * (p.scale * 0.69314718); }
    }
}
