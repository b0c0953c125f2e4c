// y = the mean of the 5×5 pixels of x around each pixel; beyond the edge, the edge's pixels count again.
//
// Bindings: x [HEIGHT, WIDTH], output y [HEIGHT, WIDTH]. Constants WIDTH, HEIGHT.
// Grid: at least WIDTH × HEIGHT invocations, in workgroups of 8 × 8; each makes one pixel.

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, 8)
fn blur(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= WIDTH || id.y >= HEIGHT { return; } // the last workgroups reach beyond the edge
    var sum = 0.0;
    for (var dy = -2; dy <= 2; dy++) {
        for (var dx = -2; dx <= 2; dx++) {
            let row = clamp(i32(id.y) + dy, 0, i32(HEIGHT) - 1);
            let column = clamp(i32(id.x) + dx, 0, i32(WIDTH) - 1);
            sum += x[u32(row) * WIDTH + u32(column)];
        }
    }
    y[id.y * WIDTH + id.x] = sum / 25.0;
}
