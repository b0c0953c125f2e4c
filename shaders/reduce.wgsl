// Column sums of a tall matrix, one stage: y[s, c] = Σ x[r, c] over the rows r of chunk s.
//
// Bindings: x [rows, C] f32, output y [⌈rows / CHUNK⌉, C] f32.
// Grid: one invocation per output, folded into two dimensions.
// Repeated until one row is left. The fixed tree makes the sum the same in every run, and its
// error grow with the logarithm of the length only.

struct Params { n: u32, rows: u32, columns: u32, }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn sum_rows(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i >= p.n { return; }
    let column = i % p.columns;
    let first = i / p.columns * CHUNK;
    let end = min(first + CHUNK, p.rows);
    var sum = 0.0;
    for (var r = first; r < end; r++) { sum += x[r * p.columns + column]; }
    y[i] = sum;
}

// y[r, c] = x[c]: the derivative of the sum.
@compute @workgroup_size(WG)
fn broadcast_rows(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                  @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i < p.n { y[i] = x[i % p.columns]; }
}
