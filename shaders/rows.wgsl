// Whole rows: taken by an index made on the device, or scaled each by its own factor.
//
// Bindings: x [.., C] f32; index [rows] u32 or factor [rows] f32 (scale: repeated every `period`
// rows); output [rows, C] f32. Constants: VEC channels in a V, CV = C / VEC.
// Grid: one invocation per V of the output, folded into two dimensions; beyond the end, the last
// again.

struct Params { n: u32, period: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;

// y[r] = x[index[r]]
@compute @workgroup_size(WG)
fn take_rows(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
             @builtin(local_invocation_index) local: u32) {
    let i = min((id.y * groups.x + id.x) * WG + local, p.n - 1u);
    y[i] = x[index[i / CV] * CV + i % CV];
}

// y[r] = factor[r mod period]·x[r]
@compute @workgroup_size(WG)
fn scale_rows(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_index) local: u32) {
    let i = min((id.y * groups.x + id.x) * WG + local, p.n - 1u);
    y[i] = factor[i / CV % p.period] * x[i];
}
