// What the gradient of attention needs of every query besides q and dy.
//
// Inputs y, dy [B, slots, H·DV], lse [B, H, slots], query_rows [slots]; output [B, H, slots] of
// Query. Grid: one invocation per Query (R and LANES are 1).

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> query_rows: array<u32>;
@group(0) @binding(4) var<storage, read_write> queries: array<Query>;

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
    for (var d = 0u; d < DV; d++) { delta = fma(y[base + d], dy[base + d], delta); }
    let row = query_rows[slot];
    if row == NONE {
        queries[i] = Query(NONE, 0.0, 0.0);
    } else {
        queries[i] = Query(row, lse[i] * 1.44269504, delta);
    }
}
