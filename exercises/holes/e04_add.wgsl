// y = a + b for COUNT numbers. The buffers are longer than that: the rest of y belongs to somebody else.
//
// Grid: whole workgroups of 64 invocations, enough for COUNT of them.

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn add(@builtin(global_invocation_id) id: vec3u) {
    let i = id.x;
    // Fill in: what must the invocations do that the last workgroup has too many?
    y[i] = a[i] + b[i];
}
