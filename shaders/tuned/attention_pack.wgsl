// Packs what belongs to one head of a row side by side, so that the attention kernels load it by
// fours (what is packed and in which order: lib/attention.wgsl).
//
// Constants: WG; VEC (4); HEADS, DK, DV; LISTED (0 or 1).
// Params: count, the packed keys or queries; first (not read); G; Q; K; Nq; Nk; scale·log2(e).
// Grid: one invocation per packed key or query; those beyond the end repeat the last.

import package::lib::index::{Grid, index_below};
import package::lib::attention::{p, NONE, LOW, START, DELTA, KEY_FOURS, QUERY_FOURS, list_of};
import package::lib::vec::V;
import constants::{WG, HEADS, DK, DV, LISTED};

// attention_pack_keys.
//
// Bindings: k [B, Nk, HEADS·DK], v [B, Nk, HEADS·DV], key_rows [G·K] u32 (not read unless LISTED);
// output packed keys [B, Nk, HEADS] or, if LISTED, [B, G, HEADS, K], each list's side by side. k, v
// and keys may be f16.

@group(0) @binding(0) var<storage, read> k: array<T0>;
@group(0) @binding(1) var<storage, read> v: array<T1>;
@group(0) @binding(2) var<storage, read> key_rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<V3>;

@compute @workgroup_size(WG)
fn attention_pack_keys(grid: Grid) {
    let i = index_below(grid, p.count);
    var source = i;
    if LISTED == 1u {
        let list = list_of(i / p.keys);
        let row = key_rows[list.group * p.keys + i % p.keys];
        source = (list.batch * p.key_rows + row) * HEADS + list.head;
    }
    var packed: array<f32, 4u * KEY_FOURS>;
    for (var d = 0u; d < DK; d++) { packed[d] = f32(k[source * DK + d]); }
    for (var d = 0u; d < DV; d++) { packed[DK + d] = f32(v[source * DV + d]); }
    for (var d = START; d < 4u * KEY_FOURS; d++) { packed[d] = 0.0; }
    for (var f = 0u; f < KEY_FOURS; f++) {
        keys[i * KEY_FOURS + f] =
            V3(V(packed[4u * f], packed[4u * f + 1u], packed[4u * f + 2u], packed[4u * f + 3u]));
    }
}

// attention_pack_queries, for the gradient.
//
// Bindings: q [B, Nq, HEADS·DK], y, dy [B, S, HEADS·DV], lse [B, HEADS, S], query_rows [S] u32;
// output packed queries [B, G, HEADS, Q]; all f32.

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> query_rows: array<u32>;
@group(0) @binding(5) var<storage, read_write> queries: array<V>;

@compute @workgroup_size(WG)
fn attention_pack_queries(grid: Grid) {
    let i = index_below(grid, p.count);
    let slots = p.groups * p.queries;
    let list = list_of(i / p.queries);
    let slot = list.group * p.queries + i % p.queries;
    let row = query_rows[slot];
    let live = row != NONE; // an empty slot takes zeros for everything: no overflow
    let q_base = ((list.batch * p.rows + select(0u, row, live)) * HEADS + list.head) * DK;
    let y_base = ((list.batch * slots + slot) * HEADS + list.head) * DV;
    var packed: array<f32, 4u * QUERY_FOURS>;
    for (var d = 0u; d < DK; d++) { packed[d] = select(0.0, q[q_base + d] * p.scale, live); }
    var delta = 0.0;
    for (var d = 0u; d < DV; d++) {
        let g = select(0.0, dy[y_base + d], live);
        delta = fma(y[y_base + d], g, delta);
        packed[DK + d] = g;
    }
    let log_sum = lse[(list.batch * HEADS + list.head) * slots + slot];
    packed[START] = select(LOW, log_sum * -1.44269504, live);
    packed[DELTA] = delta;
    for (var d = DELTA + 1u; d < 4u * QUERY_FOURS; d++) { packed[d] = 0.0; }
    for (var f = 0u; f < QUERY_FOURS; f++) {
        queries[i * QUERY_FOURS + f] =
            V(packed[4u * f], packed[4u * f + 1u], packed[4u * f + 2u], packed[4u * f + 3u]);
    }
}
