// Depthwise 5×5 convolution, zero padding 2: every channel by itself,
//
//   y[v, u, c] = Σ over ky, kx of x[v + ky − 2, u + kx − 2, c] · w[ky, kx, c],
//
// x being 0 outside of the image.
//
// Bindings: x [H, W, C], w [5, 5, C], output y [H, W, C]. Constants H, W, C.
// Grid: at least H·W·C invocations, in workgroups of 64.

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn pixel(v: i32, u: i32, c: u32) -> f32 {
    // Fill in: what lies outside is 0. The index alone does not tell: left of a row lies the end of the row above.
    return x[(u32(v) * W + u32(u)) * C + c];
}

@compute @workgroup_size(64)
fn depthwise(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= H * W * C { return; }
    let c = id.x % C;
    let u = i32(id.x / C % W);
    let v = i32(id.x / (C * W));
    var sum = 0.0;
    for (var ky = 0; ky < 5; ky++) {
        for (var kx = 0; kx < 5; kx++) {
            sum += pixel(v + ky - 2, u + kx - 2, c) * w[u32(5 * ky + kx) * C + c];
        }
    }
    y[id.x] = sum;
}
