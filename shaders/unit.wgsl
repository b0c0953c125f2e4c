// y = x / max(‖x‖, 1e-12) for every row, and its gradient.
//
// Bindings: x [rows, C] (backward: and dy [rows, C]), output [rows, C]; in V's. x may be f16.
// Constants: VEC channels in a V, CV = C / VEC.
// Grid: one invocation per row, folded into two dimensions; beyond the end, the last row again.

struct Params { rows: u32 }
var<immediate> p: Params;

const EPS = 1e-12;

@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> y: array<V>;
@group(0) @binding(1) var<storage, read> dy: array<V>;
@group(0) @binding(2) var<storage, read_write> dx: array<V>;

@compute @workgroup_size(WG)
fn unit(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) local: u32) {
    let row = min((id.y * groups.x + id.x) * WG + local, p.rows - 1u);
    var value: array<V, CV>;
    var square = V();
    for (var c = 0u; c < CV; c++) {
        value[c] = V(x[row * CV + c]);
        square += value[c] * value[c];
    }
    let length = max(sqrt(sum_of(square)), EPS);
    for (var c = 0u; c < CV; c++) { y[row * CV + c] = value[c] / length; }
}

// dx = (dy − y·⟨y, dy⟩) / ‖x‖; where ‖x‖ is cut off at EPS, it is a constant: dx = dy / EPS.
@compute @workgroup_size(WG)
fn unit_backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_index) local: u32) {
    let row = min((id.y * groups.x + id.x) * WG + local, p.rows - 1u);
    var value: array<V, CV>;
    var upstream: array<V, CV>;
    var square = V();
    var inner = V();
    for (var c = 0u; c < CV; c++) {
        value[c] = V(x[row * CV + c]);
        upstream[c] = dy[row * CV + c];
        square += value[c] * value[c];
        inner += value[c] * upstream[c];
    }
    let length = max(sqrt(sum_of(square)), EPS);
    let along = select(0.0, sum_of(inner), length > EPS) / (length * length);
    for (var c = 0u; c < CV; c++) {
        dx[row * CV + c] = (upstream[c] - value[c] * along) / length;
    }
}
