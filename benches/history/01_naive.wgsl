// 1. One invocation per number of the result.
//
// Bindings: x [M, K], w [N, K], output y [M, N]; all f32. Constants M, N, K.
// Grid: N / 32 × M / 2 workgroups of 32 × 2 invocations.
//
// The formula as it stands. For every multiply-add two numbers are loaded: x is fetched N times
// over, w M times, and the units that multiply wait for those that load.

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(32, 2)
fn naive(@builtin(global_invocation_id) id: vec3u) {
    let n = id.x;
    let m = id.y;
    var sum = 0.0;
    for (var k = 0u; k < K; k++) { sum = fma(x[m * K + k], w[n * K + k], sum); }
    y[m * N + n] = sum;
}
