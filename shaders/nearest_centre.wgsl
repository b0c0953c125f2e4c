// owner[t] = the m with the largest ⟨x_t, c_m⟩, the lowest m on ties.
//
// Bindings: x [tokens, C], centres [M, C], both rows of unit length, f32; output owner [tokens] u32.
// Constants: C channels, in blocks of CB; R tokens per invocation.
// Grid: one invocation per R tokens, WG apart, folded into two dimensions.
//
// The tokens stay in registers while all centres pass by: C loads for R·C multiply-adds. The blocks
// keep every loop short enough to be unrolled (Mesa: 32 rounds); else the tokens go to memory.

struct Params { tokens: u32, centres: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> centres: array<f32>;
@group(0) @binding(2) var<storage, read_write> owner: array<u32>;

@compute @workgroup_size(WG)
fn nearest_centre(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u,
                  @builtin(local_invocation_index) local: u32) {
    let first = (id.y * groups.x + id.x) * (WG * R) + local;
    if first >= p.tokens { return; }
    var token: array<array<array<f32, CB>, C / CB>, R>;
    var best: array<f32, R>;
    var best_m: array<u32, R>;
    for (var r = 0u; r < R; r++) {
        let t = min(first + r * WG, p.tokens - 1u);
        for (var b = 0u; b < C / CB; b++) {
            for (var c = 0u; c < CB; c++) { token[r][b][c] = x[t * C + b * CB + c]; }
        }
        best[r] = -3.0e38;
        best_m[r] = 0u;
    }
    for (var m = 0u; m < p.centres; m++) {
        var dot: array<f32, R>;
        for (var r = 0u; r < R; r++) { dot[r] = 0.0; }
        for (var b = 0u; b < C / CB; b++) {
            for (var c = 0u; c < CB; c++) {
                let centre = centres[m * C + b * CB + c];
                for (var r = 0u; r < R; r++) { dot[r] = fma(token[r][b][c], centre, dot[r]); }
            }
        }
        for (var r = 0u; r < R; r++) {
            let better = dot[r] > best[r]; // not on a tie: the lowest m stays
            best[r] = select(best[r], dot[r], better);
            best_m[r] = select(best_m[r], m, better);
        }
    }
    for (var r = 0u; r < R; r++) {
        let t = first + r * WG;
        if t < p.tokens { owner[t] = best_m[r]; }
    }
}
