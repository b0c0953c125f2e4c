// The derivatives of attention.wgsl, with the probabilities made again from lse.
//
// With p_ij = exp(s_ij − lse_i), s_ij = scale · q_i·k_j, and ds_ij = p_ij · (dy_i·v_j − dy_i·y_i):
//
//   dq_i = scale · Σ_j ds_ij · k_j,   dk_j = scale · Σ_i ds_ij · q_i,   dv_j = Σ_i p_ij · dy_i
//
// Bindings: q, k, v, query_rows, key_rows, y, lse as there, dy [B, S, HEADS·DV]; outputs of
// attention_backward_q: dq [B, S, HEADS·DK], zero in empty slots; of attention_backward_kv:
// dk [B, G·K, HEADS·DK], dv [B, G·K, HEADS·DV]; all f32.
// Constants and Params as there.
// Grid: one invocation per image, slot and head, of queries or of keys.

import package::lib::index::{Grid, index};
import constants::{WG, HEADS, DK, DV};

struct Params {
    count: u32, groups: u32, queries: u32, keys: u32, rows: u32, key_rows: u32, scale: f32,
}
var<immediate> p: Params;

const NONE = 0xffffffffu;

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> query_rows: array<u32>;
@group(0) @binding(4) var<storage, read> key_rows: array<u32>;
@group(0) @binding(5) var<storage, read> y: array<f32>;
@group(0) @binding(6) var<storage, read> lse: array<f32>;
@group(0) @binding(7) var<storage, read> dy: array<f32>;
@group(0) @binding(8) var<storage, read_write> dq: array<f32>;

// p_ij and ds_ij.
struct Pair { probability: f32, ds: f32 }

// Of query slot i with its row, and key row: each the head's part, counted in heads.
fn pair(slot: u32, query: u32, key: u32, log_sum: f32) -> Pair {
    var dot = 0.0;
    for (var d = 0u; d < DK; d++) { dot += q[query * DK + d] * k[key * DK + d]; }
    var dp = 0.0;
    for (var d = 0u; d < DV; d++) {
        dp += dy[slot * DV + d] * (v[key * DV + d] - y[slot * DV + d]);
    }
    let probability = exp(p.scale * dot - log_sum);
    return Pair(probability, probability * dp);
}

@compute @workgroup_size(WG)
fn attention_backward_q(grid: Grid) {
    let at = index(grid); // b, slot, head
    if at >= p.count { return; }
    let slots = p.groups * p.queries;
    let head = at % HEADS;
    let slot = at / HEADS % slots;
    let b = at / (HEADS * slots);
    let log_sum = lse[(b * HEADS + head) * slots + slot];
    var sum = array<f32, DK>();
    if query_rows[slot] != NONE {
        let query = (b * p.rows + query_rows[slot]) * HEADS + head;
        let first = slot / p.queries * p.keys; // of the group's key slots
        for (var j = first; j < first + p.keys; j++) {
            let key = (b * p.key_rows + key_rows[j]) * HEADS + head;
            let ds = pair(at, query, key, log_sum).ds;
            for (var d = 0u; d < DK; d++) { sum[d] += ds * k[key * DK + d]; }
        }
    }
    for (var d = 0u; d < DK; d++) { dq[at * DK + d] = p.scale * sum[d]; }
}

@group(0) @binding(8) var<storage, read_write> dk: array<f32>;
@group(0) @binding(9) var<storage, read_write> dv: array<f32>;

@compute @workgroup_size(WG)
fn attention_backward_kv(grid: Grid) {
    let at = index(grid); // b, key slot, head
    if at >= p.count { return; }
    let slots = p.groups * p.queries;
    let head = at % HEADS;
    let key_slot = at / HEADS % (p.groups * p.keys);
    let b = at / (HEADS * p.groups * p.keys);
    let key = (b * p.key_rows + key_rows[key_slot]) * HEADS + head;
    let first = key_slot / p.keys * p.queries; // of the group's query slots
    var sum_k = array<f32, DK>();
    var sum_v = array<f32, DV>();
    for (var i = first; i < first + p.queries; i++) {
        if query_rows[i] == NONE { continue; }
        let slot = (b * slots + i) * HEADS + head;
        let query = (b * p.rows + query_rows[i]) * HEADS + head;
        let ij = pair(slot, query, key, lse[(b * HEADS + head) * slots + i]);
        for (var d = 0u; d < DK; d++) { sum_k[d] += ij.ds * q[query * DK + d]; }
        for (var d = 0u; d < DV; d++) { sum_v[d] += ij.probability * dy[slot * DV + d]; }
    }
    for (var d = 0u; d < DK; d++) { dk[at * DK + d] = p.scale * sum_k[d]; }
    for (var d = 0u; d < DV; d++) { dv[at * DV + d] = sum_v[d]; }
}
