// y = x·wᵀ: y[m, n] = Σ_k x[m, k] · w[n, k].
//
// Bindings: x [M, K], w [N, K], output y [M, N]. Constants M, N, K.
// Grid: at least N × M invocations, in workgroups of 8 × 8.

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, 8)
fn product(@builtin(global_invocation_id) id: vec3u) {
    let n = id.x;
    let m = id.y;
    if n >= N || m >= M { return; }
    var sum = 0.0;
    for (var k = 0u; k < K; k++) {
        sum += x[m * K + k] * w[n * K + k];
    }
    y[m * N + n] = sum;
}
