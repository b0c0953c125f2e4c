// The gradient of attention by its keys and values: attention_dq.wgsl has the formulas.
//
// Inputs q [B, N, H·DK], k [B, M, H·DK], v [B, M, H·DV], dy [B, slots, H·DV],
// queries [B, H, slots] of Query (by attention_prepare.wgsl), key_rows [groups · keys];
// outputs dk [B, key slots, H·DK], dv [B, key slots, H·DV].
// Grid and constants: as attention.wgsl, R key slots in registers, walking over the queries of
// their group, BLOCK at a time.

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> queries: array<Query>;
@group(0) @binding(5) var<storage, read> key_rows: array<u32>;
@group(0) @binding(6) var<storage, read_write> dk: array<f32>;
@group(0) @binding(7) var<storage, read_write> dv: array<f32>;

@compute @workgroup_size(WG)
fn attention_dkv(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u,
                 @builtin(local_invocation_index) local: u32) {
    let tile = min(((id.y * workgroups.x + id.x) * WG + local) / LANES, p.count - 1u);
    let lane = local % LANES;
    let at = place(tile, lane, p.keys);
    let slots = p.groups * p.queries;

    var key: array<array<f32, DK>, R>;
    var value: array<array<f32, DV>, R>;
    var key_acc: array<array<f32, DK>, R>;
    var value_acc: array<array<f32, DV>, R>;
    for (var r = 0u; r < R; r++) {
        let row = key_rows[at.group * p.keys + min(at.first + r * LANES, p.keys - 1u)];
        let base = (at.batch * p.key_rows + row) * H + at.head;
        for (var d = 0u; d < DK; d++) {
            key[r][d] = k[base * DK + d] * p.scale;
            key_acc[r][d] = 0.0;
        }
        for (var d = 0u; d < DV; d++) {
            value[r][d] = v[base * DV + d];
            value_acc[r][d] = 0.0;
        }
    }

    for (var j0 = 0u; j0 < p.queries; j0 += BLOCK) {
        var start: array<f32, BLOCK>; // of the score: −lse, LOW for empty slots and beyond the end
        var delta: array<f32, BLOCK>;
        var qs: array<array<f32, BLOCK>, DK>;
        var dys: array<array<f32, BLOCK>, DV>;
        for (var b = 0u; b < BLOCK; b += LANES) {
            let j = j0 + b + lane;
            let slot = at.group * p.queries + min(j, p.queries - 1u);
            let query = queries[(at.batch * H + at.head) * slots + slot];
            let live = query.row != NONE && j < p.queries; // others take zeros for everything
            let base = (at.batch * p.rows + select(0u, query.row, live)) * H + at.head;
            let dy_base = ((at.batch * slots + slot) * H + at.head) * DV;
            let starts = spread(select(LOW, -query.lse, live));
            let deltas = spread(select(0.0, query.delta, live));
            for (var l = 0u; l < LANES; l++) {
                start[b + l] = starts[l];
                delta[b + l] = deltas[l];
            }
            for (var d = 0u; d < DK; d++) {
                let spread_q = spread(select(0.0, q[base * DK + d], live));
                for (var l = 0u; l < LANES; l++) { qs[d][b + l] = spread_q[l]; }
            }
            for (var d = 0u; d < DV; d++) {
                let spread_dy = spread(select(0.0, dy[dy_base + d], live));
                for (var l = 0u; l < LANES; l++) { dys[d][b + l] = spread_dy[l]; }
            }
        }
        for (var r = 0u; r < R; r++) {
            for (var b = 0u; b < BLOCK; b++) {
                var s = start[b];
                for (var d = 0u; d < DK; d++) { s = fma(qs[d][b], key[r][d], s); }
                let probability = exp2(s);
                var ds = -delta[b];
                for (var d = 0u; d < DV; d++) { ds = fma(dys[d][b], value[r][d], ds); }
                ds *= probability;
                for (var d = 0u; d < DK; d++) { key_acc[r][d] = fma(ds, qs[d][b], key_acc[r][d]); }
                for (var d = 0u; d < DV; d++) {
                    value_acc[r][d] = fma(probability, dys[d][b], value_acc[r][d]);
                }
            }
        }
    }

    for (var r = 0u; r < R; r++) {
        let i = min(at.first + r * LANES, p.keys - 1u);
        let slot = (at.batch * p.groups + at.group) * p.keys + i;
        let base = slot * H + at.head;
        for (var d = 0u; d < DK; d++) {
            dk[base * DK + d] = key_acc[r][d] * (p.scale * 0.69314718);
        }
        for (var d = 0u; d < DV; d++) { dv[base * DV + d] = value_acc[r][d]; }
    }
}
