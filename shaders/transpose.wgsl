// y[j, i] = x[i, j]: of small matrices, such as a layer's weights.
//
// Bindings: x [rows, columns], output y [columns, rows]; f32.
// Grid: one invocation per element of y, folded into two dimensions.

struct Params { count: u32, rows: u32, columns: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn transpose(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
             @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i < p.count { y[i] = x[i % p.rows * p.columns + i / p.rows]; }
}
