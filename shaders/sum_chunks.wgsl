// The second stage of two-stage sums: y[j] = Σ_k partial[k, j], k ascending.
//
// Bindings: partial [K, N], output y [N].
// Grid: one invocation per element of y, folded into two dimensions.
// One order of additions whatever the adapter: the same input, the same bits.

struct Params { n: u32, chunks: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn sum_chunks(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_index) local: u32) {
    let j = (id.y * groups.x + id.x) * WG + local;
    if j >= p.n { return; }
    var sum = 0.0;
    for (var k = 0u; k < p.chunks; k++) { sum += partial[k * p.n + j]; }
    y[j] = sum;
}
