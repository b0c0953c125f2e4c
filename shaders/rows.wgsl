// Whole rows: taken by an index made on the device, or scaled each by its own factor.
//
// Bindings: x [.., C] f32; index [N] u32, or factor [rows] f32 (repeated every `rows`); output
// [N, C] f32.
// Constant C: a division by a known number is cheap everywhere, one by a parameter is not.
// Grid: one invocation per element of the output, folded into two dimensions.

struct Params { n: u32, first: u32, rows: u32 } // n = N·C
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// y[r] = x[index[r] − first], where x has that row: what is bound is `rows` of a larger x's rows.
@compute @workgroup_size(WG)
fn take_rows(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
             @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i >= p.n { return; }
    let row = index[i / C] - p.first;
    if row < p.rows { y[i] = x[row * C + i % C]; }
}

// y[r] = factor[r mod rows]·x[r]
@compute @workgroup_size(WG)
fn scale_rows(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
              @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i < p.n { y[i] = factor[i / C % p.rows] * x[i]; }
}
