// y = act(x·wᵀ + bias) + residual for any sizes: the plain form of linear.wgsl.
//
// Bindings and constants BIAS, GELU, RESIDUAL, KEEP as there, but number by number.
// Grid: one invocation per element of y [M, N], folded into two dimensions.

struct Params { count: u32, n: u32, k: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<T3>;
@group(0) @binding(4) var<storage, read_write> y: array<T4>;
@group(0) @binding(5) var<storage, read_write> kept: array<f32>;

@compute @workgroup_size(WG)
fn linear_any(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i >= p.count { return; }
    let m = i / p.n;
    let n = i % p.n;
    var sum = 0.0;
    for (var k = 0u; k < p.k; k++) { sum = fma(f32(x[m * p.k + k]), w[n * p.k + k], sum); }
    if BIAS == 1u { sum += bias[n]; }
    if KEEP == 1u { kept[i] = sum; }
    if GELU == 1u { sum = gelu_of(sum); }
    if RESIDUAL == 1u { sum += f32(residual[i]); }
    y[i] = T4(sum);
}
