// As plain/nearest_centre.wgsl; 45 times as fast on a software driver (16 lanes), because the
// tokens stay in registers while all centres pass by, each of them loaded once for R·LANES tokens.
//
// Bindings: as there: x [N, C], centres [M, C], both rows of unit length, f32;
// output owner [N] u32.
// Constants: WG; C channels, in blocks of CB; R tokens per invocation; LANES; BLOCK centres a step;
// LANES and BLOCK are such that one divides the other.
// Params: count, N; centres, M.
// Grid: one invocation per R tokens, LANES apart; beyond the end, the last token again.
//
// The centres pass by BLOCK at a time, of which every lane loads its share, to be spread: where a
// block has fewer than LANES, as many lanes as SHARE load other blocks of channels of one centre.
// One token after the other meets a block, so that its products with it are registers. The blocks
// of channels keep every loop short enough to be unrolled (Mesa: 32 rounds); else the tokens could
// be indexed in memory only.

import package::lib::index::{Grid, index};
import package::lib::spread::spread;
import constants::{WG, C, CB, R, BLOCK, LANES};

struct Params { count: u32, centres: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> centres: array<f32>;
@group(0) @binding(2) var<storage, read_write> owner: array<u32>;

const SHARE = max(LANES / BLOCK, 1u);
const STEP = LANES / SHARE;

@compute @workgroup_size(WG)
fn nearest_centre(grid: Grid) {
    let i = index(grid);
    let lane = grid.local % LANES;
    var n: array<u32, R>;
    var token: array<array<array<f32, CB>, C / CB>, R>;
    var best: array<f32, R>;
    var best_m: array<u32, R>;
    for (var r = 0u; r < R; r++) {
        n[r] = min((i / LANES * R + r) * LANES + lane, p.count - 1u);
        for (var b = 0u; b < C / CB; b++) {
            for (var c = 0u; c < CB; c++) { token[r][b][c] = x[n[r] * C + b * CB + c]; }
        }
        best[r] = -3.0e38;
        best_m[r] = 0u;
    }
    for (var m0 = 0u; m0 < p.centres; m0 += BLOCK) {
        var centre = array<array<array<f32, BLOCK>, CB>, C / CB>();
        for (var i = 0u; i < C / CB / SHARE; i++) {
            for (var c = 0u; c < CB; c++) {
                for (var m = 0u; m < BLOCK; m += STEP) {
                    let mine = min(m0 + m + lane % STEP, p.centres - 1u);
                    let all = spread(centres[mine * C + (i * SHARE + lane / STEP) * CB + c]);
                    for (var l = 0u; l < LANES; l++) {
                        centre[i * SHARE + l / STEP][c][m + l % STEP] = all[l];
                    }
                }
            }
        }
        for (var r = 0u; r < R; r++) {
            var dot = array<f32, BLOCK>();
            for (var b = 0u; b < C / CB; b++) {
                for (var c = 0u; c < CB; c++) {
                    for (var m = 0u; m < BLOCK; m++) {
                        dot[m] = fma(token[r][b][c], centre[b][c][m], dot[m]);
                    }
                }
            }
            for (var m = 0u; m < BLOCK; m++) {
                // Not on a tie: the lowest m stays, and the last one repeated beyond the end.
                let better = dot[m] > best[r];
                best[r] = select(best[r], dot[m], better);
                best_m[r] = select(best_m[r], m0 + m, better);
            }
        }
    }
    for (var r = 0u; r < R; r++) { owner[n[r]] = best_m[r]; }
}
