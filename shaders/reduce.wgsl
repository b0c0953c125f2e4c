// Column sums of a tall matrix, one stage: y[s, c] = Σ x[r, first + c] over the rows r of chunk s.
//
// Bindings: x [rows, stride] f32, output y [⌈rows / CHUNK⌉, C] f32, in V's.
// Constants: VEC columns in a V, CHUNK, ADD: the sums are added to what is in y.
// Grid: one invocation per V of the output, folded into two dimensions; beyond the end, the last
// again, unless it adds. Repeated until one row is left. The fixed tree makes the sum the same in
// every run, and its error grow with the logarithm of the length only.

struct Params { n: u32, rows: u32, columns: u32, stride: u32, first: u32, } // all but rows in V's
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read_write> y: array<V>;

@compute @workgroup_size(WG)
fn sum_rows(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) local: u32) {
    let own = (id.y * groups.x + id.x) * WG + local;
    let i = min(own, p.n - 1u);
    let column = p.first + i % p.columns;
    let first = i / p.columns * CHUNK;
    var sum = V();
    for (var j = 0u; j < CHUNK; j++) {
        let value = x[min(first + j, p.rows - 1u) * p.stride + column];
        sum += select(V(), value, first + j < p.rows);
    }
    if ADD == 1u {
        if own >= p.n { return; }
        sum = y[i] + sum;
    }
    y[i] = sum;
}

// y[r, c] = x[c]: the derivative of the sum.
@compute @workgroup_size(WG)
fn broadcast_rows(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                  @builtin(local_invocation_index) local: u32) {
    let i = min((id.y * groups.x + id.x) * WG + local, p.n - 1u);
    y[i] = x[i % p.columns];
}
