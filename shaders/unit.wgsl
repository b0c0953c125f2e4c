// y = x / max(‖x‖, 1e-12) for every row, and its gradient.
//
// Bindings: x [rows, C] (backward: and dy [rows, C]), output [rows, C]; f32. Constant C.
// Grid: one invocation per row, folded into two dimensions.

struct Params { rows: u32 }
var<immediate> p: Params;

const EPS = 1e-12;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WG)
fn unit(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) local: u32) {
    let row = (id.y * groups.x + id.x) * WG + local;
    if row >= p.rows { return; }
    var value: array<f32, C>;
    var square = 0.0;
    for (var c = 0u; c < C; c++) {
        value[c] = x[row * C + c];
        square += value[c] * value[c];
    }
    let length = max(sqrt(square), EPS);
    for (var c = 0u; c < C; c++) { y[row * C + c] = value[c] / length; }
}

// dx = (dy − y·⟨y, dy⟩) / ‖x‖; where ‖x‖ is cut off at EPS, it is a constant: dx = dy / EPS.
@compute @workgroup_size(WG)
fn unit_backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_index) local: u32) {
    let row = (id.y * groups.x + id.x) * WG + local;
    if row >= p.rows { return; }
    var value: array<f32, C>;
    var upstream: array<f32, C>;
    var square = 0.0;
    var inner = 0.0;
    for (var c = 0u; c < C; c++) {
        value[c] = x[row * C + c];
        upstream[c] = dy[row * C + c];
        square += value[c] * value[c];
        inner += value[c] * upstream[c];
    }
    let length = max(sqrt(square), EPS);
    let along = select(0.0, inner, length > EPS) / (length * length);
    for (var c = 0u; c < C; c++) {
        dx[row * C + c] = (upstream[c] - value[c] * along) / length;
    }
}
