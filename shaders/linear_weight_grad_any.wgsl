// linear_weight_grad.wgsl for any sizes, in its plain form: dw alone.
//
// Bindings: dy [M, N], x [M, K], output partial [chunks, N, K]; all f32.
// Grid: one invocation per element of the output, folded into two dimensions.

struct Params { count: u32, m: u32, n: u32, k: u32, rows_per_chunk: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WG)
fn linear_weight_grad_any(@builtin(workgroup_id) id: vec3u,
                          @builtin(num_workgroups) groups: vec3u,
                          @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i >= p.count { return; }
    let n = i / p.k % p.n;
    let chunk = i / (p.k * p.n);
    let end = min((chunk + 1u) * p.rows_per_chunk, p.m);
    var sum = 0.0;
    for (var m = chunk * p.rows_per_chunk; m < end; m++) {
        sum = fma(dy[m * p.n + n], x[m * p.k + i % p.k], sum);
    }
    partial[i] = sum;
}
