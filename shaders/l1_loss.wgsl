// The L1 loss, mean |a − b|, up to its sum; and its derivative.
//
// Bindings: a, b [n] f32 (backward: and dy [1]), output [n] f32.
// Grid: one invocation per element, folded into two dimensions.

struct Params { n: u32, inverse_n: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> difference: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> da: array<f32>;

@compute @workgroup_size(WG)
fn abs_difference(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                  @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i < p.n { difference[i] = abs(a[i] - b[i]); }
}

// da = sign(a − b)·dy / n; where a = b the derivative is taken as 0.
@compute @workgroup_size(WG)
fn l1_loss_backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                    @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i < p.n { da[i] = sign(a[i] - b[i]) * dy[0] * p.inverse_n; }
}
