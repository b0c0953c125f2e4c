// Whole rows: taken by an index made on the device, or scaled each by its own factor.
//
// Bindings: x [.., C] f32; index [rows] u32 or factor [rows] f32 (scale: repeated every `period`
// rows); output [rows, C] f32.
// Constant C: a division by a known number is cheap everywhere, one by a parameter is not.
// Grid: one invocation per element of the output, folded into two dimensions.

struct Params { n: u32, period: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// y[r] = x[index[r]]
@compute @workgroup_size(WG)
fn take_rows(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
             @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i < p.n { y[i] = x[index[i / C] * C + i % C]; }
}

// y[r] = factor[r mod period]·x[r]
@compute @workgroup_size(WG)
fn scale_rows(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i < p.n { y[i] = factor[i / C % p.period] * x[i]; }
}
