// How many bytes an adapter moves in a second: y = x.
//
// Bindings: x, output y, of type T.
// Constants: T f32 or vec4f, WG invocations per workgroup; each copies ITEMS elements.
// Grid: one-dimensional. Neighbouring invocations copy neighbouring elements.

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;

@compute @workgroup_size(WG)
fn copy(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) local: u32) {
    let first = id.x * WG * ITEMS + local;
    for (var i = 0u; i < ITEMS; i++) { y[first + i * WG] = x[first + i * WG]; }
}
