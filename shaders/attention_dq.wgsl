// The gradient of attention by its queries, with the probabilities recomputed from lse.
//
// With p_ij = exp(s_ij − lse_i), D_i = Σ_d dy_id·y_id and ds_ij = p_ij·(dy_i·v_j − D_i):
//   dq_i = scale·Σ_j ds_ij·k_j,  dk_j = scale·Σ_i ds_ij·q_i,  dv_j = Σ_i p_ij·dy_i.
//
// Inputs queries [B, groups, H, queries] of records and keys as attention.wgsl has them (both by
// attention_records.wgsl), key_rows [groups · keys]; output dq [B, slots, H·DK].
// Grid and constants: as attention.wgsl, R query slots in registers, walking over the keys.
// attention_dkv.wgsl holds the keys and walks over the queries.

@group(0) @binding(0) var<storage, read> queries: array<V>;
@group(0) @binding(1) var<storage, read> keys: array<V>;
@group(0) @binding(2) var<storage, read> key_rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> dq: array<f32>;

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
    var offset: array<f32, R>;
    var delta: array<f32, R>;
    for (var r = 0u; r < R; r++) {
        let i = (p.first + at.list) * p.queries + min(at.first + r * LANES, p.queries - 1u);
        var record: array<V, QUERY_FOURS>;
        for (var f = 0u; f < QUERY_FOURS; f++) { record[f] = queries[i * QUERY_FOURS + f]; }
        for (var d = 0u; d < DK; d++) {
            qs[r][d] = record[d / 4u][d % 4u];
            acc[r][d] = 0.0;
        }
        for (var d = 0u; d < DV; d++) { dys[r][d] = record[(DK + d) / 4u][(DK + d) % 4u]; }
        offset[r] = record[START / 4u][START % 4u];
        delta[r] = record[DELTA / 4u][DELTA % 4u];
    }

    for (var j0 = 0u; j0 < p.keys; j0 += BLOCK) {
        var start: array<f32, BLOCK>; // of the score: LOW beyond the last key
        var key: array<array<f32, BLOCK>, DK>;
        var value: array<array<f32, BLOCK>, DV>;
        for (var b = 0u; b < BLOCK; b += STEP) {
            let j = j0 + b + lane % STEP;
            let part = key_part(at, lane, j);
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
            var ds: array<f32, BLOCK>;
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
        let i = min(at.first + r * LANES, p.queries - 1u);
        let base = ((at.batch * slots + at.group * p.queries + i) * H + at.head) * DK;
        for (var d = 0u; d < DK; d++) { dq[base + d] = acc[r][d] * (p.scale * 0.69314718); }
    }
}
