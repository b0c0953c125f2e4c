// Element by element: y = sa,  y = sa·a + sb·b,  y = a·b,  and activations with their derivatives.
//
// Constant VEC is 4. Bindings: inputs a, b [4n], output y [4n] (one-input kernels: a, y; fill: y), in
// fours, each of them f32 or f16.
// Grid: one invocation per four elements, folded into two dimensions.
// Bound by memory, so the only care is to touch each element once, four at a time: the last four
// may reach past the tensor's end, never past its buffer's. Preceded by erf.wgsl.

struct Params { n: u32, sa: f32, sb: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> a: array<V0>;
@group(0) @binding(1) var<storage, read> b: array<V1>;
@group(0) @binding(2) var<storage, read_write> y2: array<V2>; // output after two inputs
@group(0) @binding(1) var<storage, read_write> y1: array<V1>; // output after one
@group(0) @binding(0) var<storage, read_write> y0: array<V0>; // output alone

// Invocations beyond the end do the last four once more: cheaper than a branch.
fn index(id: vec3u, groups: vec3u, local: u32) -> u32 {
    return min((id.y * groups.x + id.x) * WG + local, p.n - 1u);
}

@compute @workgroup_size(WG)
fn fill(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) local: u32) {
    let i = index(id, groups, local);
    y0[i] = V0(V(p.sa));
}

@compute @workgroup_size(WG)
fn weighted_sum(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                @builtin(local_invocation_index) local: u32) {
    let i = index(id, groups, local);
    y2[i] = V2(p.sa * V(a[i]) + p.sb * V(b[i]));
}

@compute @workgroup_size(WG)
fn mul(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
       @builtin(local_invocation_index) local: u32) {
    let i = index(id, groups, local);
    y2[i] = V2(V(a[i]) * V(b[i]));
}

@compute @workgroup_size(WG)
fn scale(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
         @builtin(local_invocation_index) local: u32) {
    let i = index(id, groups, local);
    y1[i] = V1(p.sa * V(a[i]));
}

@compute @workgroup_size(WG)
fn gelu(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) local: u32) {
    let i = index(id, groups, local);
    y1[i] = V1(gelu_of(V(a[i])));
}

// a = x, b = dy:  dx = dy·(Φ(x) + x·φ(x)).
@compute @workgroup_size(WG)
fn gelu_backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_index) local: u32) {
    let i = index(id, groups, local);
    let x = V(a[i]);
    let cdf = 0.5 * (1.0 + erf(x * 0.70710678));
    let pdf = 0.39894228 * exp(-0.5 * x * x);
    y2[i] = V2(V(b[i]) * (cdf + x * pdf));
}

// sa is the slope below zero.
@compute @workgroup_size(WG)
fn leaky_relu(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_index) local: u32) {
    let i = index(id, groups, local);
    let x = V(a[i]);
    y1[i] = V1(select(p.sa * x, x, x > V()));
}

// a = x, b = dy.
@compute @workgroup_size(WG)
fn leaky_relu_backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                       @builtin(local_invocation_index) local: u32) {
    let i = index(id, groups, local);
    let dy = V(b[i]);
    y2[i] = V2(select(p.sa * dy, dy, V(a[i]) > V()));
}
