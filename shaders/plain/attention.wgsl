// Attention of listed rows to listed rows, and its derivatives. Per group, head and query slot i,
// over the key slots j of the same group:
//
//   s_ij = scale · q_i·k_j,  y_i = Σ_j exp(s_ij) · v_j / Σ_j exp(s_ij),  lse_i = log Σ_j exp(s_ij)
//
// S = G·Q query slots and G·K key slots stand in the lists; an empty query slot has row NONE.
//
// Bindings: q [B, Nq, HEADS·DK], k [B, Nk, HEADS·DK], v [B, Nk, HEADS·DV], query_rows [S],
// key_rows [G·K] u32, outputs y [B, S, HEADS·DV], lse [B, HEADS, S]; both zero in empty slots. q,
// k, v and y may be f16.
// Constants: WG; HEADS; DK, DV, the channels of a head.
// Params: count, the invocations; groups, G; queries, Q; keys, K; rows, Nq; key_rows, Nk; scale.
// Grid: one invocation per image, query slot and head.

import package::lib::index::{Grid, index};
import constants::{WG, HEADS, DK, DV};

struct Params {
    count: u32, groups: u32, queries: u32, keys: u32, rows: u32, key_rows: u32, scale: f32,
}
var<immediate> p: Params;

const NONE = 0xffffffffu;

@group(0) @binding(0) var<storage, read> q: array<T0>;
@group(0) @binding(1) var<storage, read> k: array<T1>;
@group(0) @binding(2) var<storage, read> v: array<T2>;
@group(0) @binding(3) var<storage, read> query_rows: array<u32>;
@group(0) @binding(4) var<storage, read> key_rows: array<u32>;
@group(0) @binding(5) var<storage, read_write> y: array<T5>;
@group(0) @binding(6) var<storage, read_write> lse: array<f32>;

// The head's part of the row in a slot, counted in heads: of q, and of k and v.
fn query_at(b: u32, slot: u32, head: u32) -> u32 {
    return (b * p.rows + query_rows[slot]) * HEADS + head;
}
fn key_at(b: u32, slot: u32, head: u32) -> u32 {
    return (b * p.key_rows + key_rows[slot]) * HEADS + head;
}

fn score(query: u32, key: u32) -> f32 {
    var dot = 0.0;
    for (var d = 0u; d < DK; d++) { dot += f32(q[query * DK + d]) * f32(k[key * DK + d]); }
    return p.scale * dot;
}

@compute @workgroup_size(WG)
fn attention(grid: Grid) {
    let at = index(grid); // b, slot, head
    if at >= p.count { return; }
    let slots = p.groups * p.queries;
    let head = at % HEADS;
    let slot = at / HEADS % slots;
    let b = at / (HEADS * slots);
    let first = slot / p.queries * p.keys; // of the group's key slots
    var mean = array<f32, DV>();
    var log_sum = 0.0;
    if query_rows[slot] != NONE {
        let query = query_at(b, slot, head);
        var largest = -1e30; // taken off, so that no exponential is too large
        for (var j = first; j < first + p.keys; j++) {
            largest = max(largest, score(query, key_at(b, j, head)));
        }
        var sum = 0.0;
        for (var j = first; j < first + p.keys; j++) {
            let key = key_at(b, j, head);
            let weight = exp(score(query, key) - largest);
            sum += weight;
            for (var d = 0u; d < DV; d++) { mean[d] += weight * f32(v[key * DV + d]); }
        }
        for (var d = 0u; d < DV; d++) { mean[d] /= sum; }
        log_sum = largest + log(sum);
    }
    for (var d = 0u; d < DV; d++) { y[at * DV + d] = T5(mean[d]); }
    lse[(b * HEADS + head) * slots + slot] = log_sum;
}
