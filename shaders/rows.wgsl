// Whole rows: taken by an index made on the device, or scaled each by its own factor.
//
// Bindings: x [.., C]; index [N] u32, or factor [rows] f32 (repeated every `rows`); output
// [N, C]; x and output may be f16. Constants: VEC channels in a V, CV = C / VEC.
// Grid: one invocation per V of the output, folded into two dimensions; beyond the end, the last
// again.

struct Params { n: u32, first: u32, rows: u32 } // n = N·CV
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<V2>;

// y[r] = x[index[r] − first], where x has that row: what is bound is `rows` of a larger x's rows.
@compute @workgroup_size(WG)
fn take_rows(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
             @builtin(local_invocation_index) local: u32) {
    let i = min((id.y * groups.x + id.x) * WG + local, p.n - 1u);
    let row = index[i / CV] - p.first;
    if row < p.rows { y[i] = V2(x[row * CV + i % CV]); }
}

// y[r] = factor[r mod rows]·x[r]
@compute @workgroup_size(WG)
fn scale_rows(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_index) local: u32) {
    let i = min((id.y * groups.x + id.x) * WG + local, p.n - 1u);
    y[i] = V2(factor[i / CV % p.rows] * V(x[i]));
}
