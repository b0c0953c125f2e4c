// The gradient of attention by its keys and values: attention_dq.wgsl has the formulas.
//
// Inputs queries [B, groups, H, queries] of records, or those of the lists that this grid is for, keys
// [B, M, H] or, if LISTED, [B, groups, H, keys] of records (both by attention_records.wgsl), key_rows
// [groups · keys] (not read if LISTED); outputs dk [B, key slots, H·DK], dv [B, key slots, H·DV].
// Grid and constants: as attention.wgsl, R key slots in registers, walking over the queries of
// their group, BLOCK at a time.

const FOURS = QUERY_FOURS;

@group(0) @binding(0) var<storage, read> queries: array<V>;
@group(0) @binding(1) var<storage, read> keys: array<V>;
@group(0) @binding(2) var<storage, read> key_rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> dk: array<f32>;
@group(0) @binding(4) var<storage, read_write> dv: array<f32>;

@compute @workgroup_size(WG)
fn attention_dkv(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u,
                 @builtin(local_invocation_index) local: u32) {
    let tile = min(((id.y * workgroups.x + id.x) * WG + local) / LANES, p.count - 1u);
    let lane = local % LANES;
    let at = place(tile, lane, p.keys);

    var key: array<array<f32, DK>, R>;
    var value: array<array<f32, DV>, R>;
    var key_acc: array<array<f32, DK>, R>;
    var value_acc: array<array<f32, DV>, R>;
    for (var r = 0u; r < R; r++) {
        let j = min(at.first + r * LANES, p.keys - 1u);
        var i = (p.first + at.list) * p.keys + j;
        if LISTED == 0u { i = (at.batch * p.key_rows + key_rows[at.group * p.keys + j]) * H + at.head; }
        var record: array<V, KEY_FOURS>;
        for (var f = 0u; f < KEY_FOURS; f++) { record[f] = keys[i * KEY_FOURS + f]; }
        for (var d = 0u; d < DK; d++) {
            key[r][d] = record[d / 4u][d % 4u];
            key_acc[r][d] = 0.0;
        }
        for (var d = 0u; d < DV; d++) {
            value[r][d] = record[(DK + d) / 4u][(DK + d) % 4u];
            value_acc[r][d] = 0.0;
        }
    }

    for (var j0 = 0u; j0 < p.queries; j0 += BLOCK) {
        var start: array<f32, BLOCK>; // of the score: LOW for empty slots and beyond the end
        var delta: array<f32, BLOCK>;
        var qs: array<array<f32, BLOCK>, DK>;
        var dys: array<array<f32, BLOCK>, DV>;
        for (var b = 0u; b < BLOCK; b += STEP) {
            let j = j0 + b + lane % STEP;
            let record = at.list * p.queries + min(j, p.queries - 1u);
            var part: array<V, LOADS>;
            for (var f = 0u; f < LOADS; f++) { part[f] = queries[record * FOURS + part_start(lane / STEP) + f]; }
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
            var ds: array<f32, BLOCK>;
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
        let i = min(at.first + r * LANES, p.keys - 1u);
        let slot = (at.batch * p.groups + at.group) * p.keys + i;
        let base = slot * H + at.head;
        for (var d = 0u; d < DK; d++) {
            dk[base * DK + d] = key_acc[r][d] * 0.69314718;
        }
        for (var d = 0u; d < DV; d++) { dv[base * DV + d] = value_acc[r][d]; }
    }
}
