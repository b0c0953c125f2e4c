// Pixel shuffle: channel c·r² + i·r + j of a pixel goes to channel c of row i, column j of the r×r
// pixels that take its place; and back.
//
// Bindings: pixel_shuffle: x [B, H, W, C·r²], output y [B, H·r, W·r, C]; pixel_unshuffle: the reverse.
// Grid: one invocation per element, folded into two dimensions.
// Bound by memory: one element an invocation, in the order of the enlarged side.

struct Params { n: u32, w: u32, c: u32, r: u32 } // w: columns before the enlargement
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

// Where the element that is number `large` of [B, H·r, W·r, C] lies in [B, H, W, C·r²].
fn shuffled(large: u32) -> u32 {
    let c = large % p.c;
    let u = large / p.c % (p.w * p.r);
    let v = large / (p.c * p.w * p.r); // b·H·r + row
    let pixel = v / p.r * p.w + u / p.r;
    return ((pixel * p.c + c) * p.r + v % p.r) * p.r + u % p.r;
}

@compute @workgroup_size(WG)
fn pixel_shuffle(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i < p.n { y[i] = x[shuffled(i)]; }
}

@compute @workgroup_size(WG)
fn pixel_unshuffle(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                   @builtin(local_invocation_index) local: u32) {
    let i = (id.y * groups.x + id.x) * WG + local;
    if i < p.n { y[shuffled(i)] = x[i]; }
}
