// The gradient of attention by its queries, with the probabilities recomputed from lse.
//
// With p_ij = exp(s_ij − lse_i), D_i = Σ_d dy_id·y_id and ds_ij = p_ij·(dy_i·v_j − D_i):
//   dq_i = scale·Σ_j ds_ij·k_j,  dk_j = scale·Σ_i ds_ij·q_i,  dv_j = Σ_i p_ij·dy_i.
//
// Inputs q, k, v, dy, queries [B, H, slots] of Query (by attention_prepare.wgsl), key_rows as
// attention.wgsl; output dq [B, slots, H·DK].
// Grid and constants: as attention.wgsl, R query slots in registers, walking over the keys.
// attention_dkv.wgsl holds the keys and walks over the queries.

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
    let tile = min(((id.y * workgroups.x + id.x) * WG + local) / LANES, p.count - 1u);
    let lane = local % LANES;
    let at = place(tile, lane, p.queries);
    let slots = p.groups * p.queries;

    var qs: array<array<f32, DK>, R>;
    var dys: array<array<f32, DV>, R>;
    var acc: array<array<f32, DK>, R>;
    var lse: array<f32, R>;
    var delta: array<f32, R>;
    for (var r = 0u; r < R; r++) {
        let slot = at.group * p.queries + min(at.first + r * LANES, p.queries - 1u);
        let query = queries[(at.batch * H + at.head) * slots + slot];
        let live = query.row != NONE; // empty slots take zeros for everything: no overflow
        let base = (at.batch * p.rows + select(0u, query.row, live)) * H + at.head;
        for (var d = 0u; d < DK; d++) {
            qs[r][d] = select(0.0, q[base * DK + d] * p.scale, live);
            acc[r][d] = 0.0;
        }
        let dy_base = ((at.batch * slots + slot) * H + at.head) * DV;
        for (var d = 0u; d < DV; d++) { dys[r][d] = select(0.0, dy[dy_base + d], live); }
        lse[r] = query.lse;
        delta[r] = query.delta;
    }

    for (var j0 = 0u; j0 < p.keys; j0 += BLOCK) {
        var start: array<f32, BLOCK>; // of the score: LOW beyond the last key
        var key: array<array<f32, BLOCK>, DK>;
        var value: array<array<f32, BLOCK>, DV>;
        for (var b = 0u; b < BLOCK; b += LANES) {
            let j = j0 + b + lane;
            let row = key_rows[at.group * p.keys + min(j, p.keys - 1u)];
            let base = (at.batch * p.key_rows + row) * H + at.head;
            let starts = spread(select(LOW, 0.0, j < p.keys));
            for (var l = 0u; l < LANES; l++) { start[b + l] = starts[l]; }
            for (var d = 0u; d < DK; d++) {
                let spread_k = spread(k[base * DK + d]);
                for (var l = 0u; l < LANES; l++) { key[d][b + l] = spread_k[l]; }
            }
            for (var d = 0u; d < DV; d++) {
                let spread_v = spread(v[base * DV + d]);
                for (var l = 0u; l < LANES; l++) { value[d][b + l] = spread_v[l]; }
            }
        }
        for (var r = 0u; r < R; r++) {
            for (var b = 0u; b < BLOCK; b++) {
                var s = start[b] - lse[r];
                for (var d = 0u; d < DK; d++) { s = fma(qs[r][d], key[d][b], s); }
                var ds = -delta[r];
                for (var d = 0u; d < DV; d++) { ds = fma(dys[r][d], value[d][b], ds); }
                ds *= exp2(s);
                for (var d = 0u; d < DK; d++) { acc[r][d] = fma(ds, key[d][b], acc[r][d]); }
            }
        }
    }

    for (var r = 0u; r < R; r++) {
        let i = min(at.first + r * LANES, p.queries - 1u);
        let base = ((at.batch * slots + at.group * p.queries + i) * H + at.head) * DK;
        for (var d = 0u; d < DK; d++) { dq[base + d] = acc[r][d] * (p.scale * 0.69314718); }
    }
}
