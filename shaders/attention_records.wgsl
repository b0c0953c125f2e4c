// Packs what belongs to one row and head side by side, so that the attention kernels load it by fours.
//
// attention_keys: inputs k [B, M, H·DK], v [B, M, H·DV], key_rows [groups · keys]; output, if LISTED,
// [B, groups, H, keys] of records, each list's side by side, else [B, M, H]: k, v and it may be f16.
// Grid: one invocation per record; those beyond the end repeat the last.
//
// attention_queries: inputs q [B, N, H·DK], y, dy [B, slots, H·DV], lse [B, H, slots],
// query_rows [slots]; output [B, groups, H, queries] of records. Grid: one invocation per record.

const FOURS = KEY_FOURS;

@group(0) @binding(0) var<storage, read> k: array<T0>;
@group(0) @binding(1) var<storage, read> v: array<T1>;
@group(0) @binding(2) var<storage, read> key_rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<V3>;

@compute @workgroup_size(WG)
fn attention_keys(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u,
                  @builtin(local_invocation_index) local: u32) {
    let i = min((id.y * workgroups.x + id.x) * WG + local, p.count - 1u);
    var source = i;
    if LISTED == 1u {
        let at = place_of_list(i / p.keys);
        let row = key_rows[at.group * p.keys + i % p.keys];
        source = (at.batch * p.key_rows + row) * H + at.head;
    }
    var record: array<f32, 4u * KEY_FOURS>;
    for (var d = 0u; d < DK; d++) { record[d] = f32(k[source * DK + d]); }
    for (var d = 0u; d < DV; d++) { record[DK + d] = f32(v[source * DV + d]); }
    for (var d = START; d < 4u * KEY_FOURS; d++) { record[d] = 0.0; }
    for (var f = 0u; f < KEY_FOURS; f++) {
        keys[i * KEY_FOURS + f] =
            V3(V(record[4u * f], record[4u * f + 1u], record[4u * f + 2u], record[4u * f + 3u]));
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
    let at = place_of_list(i / p.queries);
    let slot = at.group * p.queries + i % p.queries;
    let row = query_rows[slot];
    let live = row != NONE; // an empty slot takes zeros for everything: no overflow
    let q_base = ((at.batch * p.rows + select(0u, row, live)) * H + at.head) * DK;
    let y_base = ((at.batch * slots + slot) * H + at.head) * DV;
    var record: array<f32, 4u * QUERY_FOURS>;
    for (var d = 0u; d < DK; d++) { record[d] = select(0.0, q[q_base + d] * p.scale, live); }
    var delta = 0.0;
    for (var d = 0u; d < DV; d++) {
        let g = select(0.0, dy[y_base + d], live);
        delta = fma(y[y_base + d], g, delta);
        record[DK + d] = g;
    }
    record[START] = select(LOW, lse[(at.batch * H + at.head) * slots + slot] * -1.44269504, live);
    record[DELTA] = delta;
    for (var d = DELTA + 1u; d < 4u * QUERY_FOURS; d++) { record[d] = 0.0; }
    for (var f = 0u; f < QUERY_FOURS; f++) {
        queries[i * QUERY_FOURS + f] =
            V(record[4u * f], record[4u * f + 1u], record[4u * f + 2u], record[4u * f + 3u]);
    }
}
