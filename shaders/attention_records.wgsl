// Packs what belongs to one row and head side by side, so that the attention kernels load it by fours.
//
// attention_keys: inputs k [B, M, H·DK], v [B, M, H·DV]; output [B, M, H] of records: all may be f16.
// Grid: one invocation per row and head; those beyond the end repeat the last.
//
// attention_queries: inputs q [B, N, H·DK], y, dy [B, slots, H·DV], lse [B, H, slots],
// query_rows [slots]; output [B, H, slots] of records. Grid: one invocation per slot and head.

@group(0) @binding(0) var<storage, read> k: array<T0>;
@group(0) @binding(1) var<storage, read> v: array<T1>;
@group(0) @binding(2) var<storage, read_write> keys: array<V2>;

@compute @workgroup_size(WG)
fn attention_keys(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u,
                  @builtin(local_invocation_index) local: u32) {
    let i = min((id.y * workgroups.x + id.x) * WG + local, p.count - 1u);
    var record: array<f32, 4u * FOURS>;
    for (var d = 0u; d < DK; d++) { record[d] = f32(k[i * DK + d]); }
    for (var d = 0u; d < DV; d++) { record[DK + d] = f32(v[i * DV + d]); }
    for (var d = START; d < 4u * FOURS; d++) { record[d] = 0.0; }
    for (var f = 0u; f < FOURS; f++) {
        keys[i * FOURS + f] =
            V2(V(record[4u * f], record[4u * f + 1u], record[4u * f + 2u], record[4u * f + 3u]));
    }
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> query_rows: array<u32>;
@group(0) @binding(5) var<storage, read_write> queries: array<V>;

@compute @workgroup_size(WG)
fn attention_queries(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u,
                     @builtin(local_invocation_index) local: u32) {
    let i = min((id.y * workgroups.x + id.x) * WG + local, p.count - 1u);
    let slots = p.groups * p.queries;
    let slot = i % slots;
    let head = i / slots % H;
    let batch = i / (slots * H);
    let row = query_rows[slot];
    let live = row != NONE; // an empty slot takes zeros for everything: no overflow
    let q_base = ((batch * p.rows + select(0u, row, live)) * H + head) * DK;
    let y_base = ((batch * slots + slot) * H + head) * DV;
    var record: array<f32, 4u * FOURS>;
    for (var d = 0u; d < DK; d++) { record[d] = select(0.0, q[q_base + d] * p.scale, live); }
    var delta = 0.0;
    for (var d = 0u; d < DV; d++) {
        let g = select(0.0, dy[y_base + d], live);
        delta = fma(y[y_base + d], g, delta);
        record[DK + d] = g;
    }
    record[START] = select(LOW, lse[i] * -1.44269504, live);
    record[DELTA] = delta;
    for (var d = DELTA + 1u; d < 4u * FOURS; d++) { record[d] = 0.0; }
    for (var f = 0u; f < FOURS; f++) {
        queries[i * FOURS + f] =
            V(record[4u * f], record[4u * f + 1u], record[4u * f + 2u], record[4u * f + 3u]);
    }
}
