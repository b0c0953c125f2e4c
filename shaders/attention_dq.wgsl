// The gradient of attention by its queries, with the probabilities recomputed from lse.
//
// With p_ij = exp(s_ij − lse_i), D_i = Σ_d dy_id·y_id and ds_ij = p_ij·(dy_i·v_j − D_i):
//   dq_i = scale·Σ_j ds_ij·k_j,  dk_j = scale·Σ_i ds_ij·q_i,  dv_j = Σ_i p_ij·dy_i.
//
// attention_prepare: inputs y, dy [B, slots, H·DV], lse [B, H, slots], query_rows [slots];
//     output what the others need of a query besides q and dy, [B, H, slots] of Query.
// attention_dq: inputs q, k, v, dy, queries, key_rows; output dq [B, slots, H·DK].
// Grid: attention_prepare one invocation per Query; attention_dq as attention.wgsl, R query slots in
// registers, walking over the keys. attention_dkv.wgsl holds the keys and walks over the queries.

struct Params {
    count: u32, groups: u32, queries: u32, keys: u32, // count of invocations; per group
    rows: u32, key_rows: u32, scale: f32,             // N, M; scale · log2(e)
}
var<immediate> p: Params;

struct Query { row: u32, lse: f32, delta: f32 } // lse in units of log2, delta is D

const NONE = 0xffffffffu;

@group(0) @binding(0) var<storage, read> y0: array<f32>;
@group(0) @binding(1) var<storage, read> dy0: array<f32>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> query_rows: array<u32>;
@group(0) @binding(4) var<storage, read_write> prepared: array<Query>;

@compute @workgroup_size(WG)
fn attention_prepare(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u,
                     @builtin(local_invocation_index) local: u32) {
    let i = (id.y * workgroups.x + id.x) * WG + local;
    if i >= p.count { return; }
    let slots = p.groups * p.queries;
    let slot = i % slots;
    let head = i / slots % H;
    let base = ((i / (slots * H) * slots + slot) * H + head) * DV;
    var delta = 0.0;
    for (var d = 0u; d < DV; d++) { delta = fma(y0[base + d], dy0[base + d], delta); }
    let row = query_rows[slot];
    if row == NONE {
        prepared[i] = Query(NONE, 0.0, 0.0);
    } else {
        prepared[i] = Query(row, lse[i] * 1.44269504, delta);
    }
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> queries: array<Query>;
@group(0) @binding(5) var<storage, read> key_rows: array<u32>;
@group(0) @binding(6) var<storage, read_write> dq: array<f32>;

@compute @workgroup_size(WG)
fn attention_dq(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u,
                @builtin(local_invocation_index) local: u32) {
    let i = (id.y * workgroups.x + id.x) * WG + local;
    if i >= p.count { return; }
    let tiles = (p.queries + R - 1u) / R;
    let first = i % tiles * R; // this invocation's first slot in its group
    let head = i / tiles % H;
    let group = i / (tiles * H) % p.groups;
    let batch = i / (tiles * H * p.groups);
    let last = p.queries - 1u;
    let slots = p.groups * p.queries;

    var qs: array<array<f32, DK>, R>;
    var dys: array<array<f32, DV>, R>;
    var acc: array<array<f32, DK>, R>;
    var lses: array<f32, R>;
    var delta: array<f32, R>;
    for (var r = 0u; r < R; r++) {
        let slot = group * p.queries + min(first + r, last);
        let query = queries[(batch * H + head) * slots + slot];
        let live = query.row != NONE; // empty slots take zeros for everything: no overflow
        let base = (batch * p.rows + select(0u, query.row, live)) * H + head;
        for (var d = 0u; d < DK; d++) {
            qs[r][d] = select(0.0, q[base * DK + d] * p.scale, live);
            acc[r][d] = 0.0;
        }
        let dy_base = ((batch * slots + slot) * H + head) * DV;
        for (var d = 0u; d < DV; d++) { dys[r][d] = select(0.0, dy[dy_base + d], live); }
        lses[r] = query.lse;
        delta[r] = query.delta;
    }

    for (var j = 0u; j < p.keys; j++) {
        let base = (batch * p.key_rows + key_rows[group * p.keys + j]) * H + head;
        var key: array<f32, DK>;
        var value: array<f32, DV>;
        for (var d = 0u; d < DK; d++) { key[d] = k[base * DK + d]; }
        for (var d = 0u; d < DV; d++) { value[d] = v[base * DV + d]; }
        for (var r = 0u; r < R; r++) {
            var s = -lses[r];
            for (var d = 0u; d < DK; d++) { s = fma(qs[r][d], key[d], s); }
            var ds = -delta[r];
            for (var d = 0u; d < DV; d++) { ds = fma(dys[r][d], value[d], ds); }
            ds *= exp2(s);
            for (var d = 0u; d < DK; d++) { acc[r][d] = fma(ds, key[d], acc[r][d]); }
        }
    }

    for (var r = 0u; r < R; r++) {
        if first + r > last { continue; }
        let base = ((batch * slots + group * p.queries + first + r) * H + head) * DK;
        for (var d = 0u; d < DK; d++) { dq[base + d] = acc[r][d] * (p.scale * 0.69314718); }
    }
}
