// As plain/attention.wgsl; for GPUs. All invocations of a workgroup walk over the same keys at the same
// time, so that a key is loaded once for a subgroup, and a multiply-add takes its numbers as scalars.
//
// Bindings: q [B, Nq, HEADS·DK]; packed keys [B, Nk, HEADS] (attention_pack.wgsl); key_rows [G·K] u32;
// query_rows [S] u32; outputs y [B, S, HEADS·DV], lse [B, HEADS, S]; both zero in empty slots. q, keys
// and y may be f16.
// Constants: WG; VEC (4); R slots per invocation; BLOCK keys per step; HEADS, DK, DV; FOURS =
// ⌈(DK + DV) / 4⌉ of a packed key.
// Params: count, the workgroups; first (not read); G; Q; K; Nq; Nk; scale·log2(e).
// Grid: a workgroup per R·WG consecutive slots of a list, folded into two dimensions.
//
// Scores are exponents of 2 less a reference, the highest score of the first block. A block's weights
// cannot overflow unless a score is far above the reference, which is seldom; only then is the
// reference raised and the sums corrected. So a key costs a row DK + DV multiply-adds, an exponential
// and two more instructions. Slots beyond the end repeat the last one and store its values once more.

import package::lib::index::Grid;
import package::lib::attention::{p, NONE, LOW, List};
import package::lib::attention_slots::slots_of;
import package::lib::vec::V;
import constants::{WG, R, BLOCK, HEADS, DK, DV, FOURS};

@group(0) @binding(0) var<storage, read> q: array<T0>;
@group(0) @binding(1) var<storage, read> keys: array<V1>;
@group(0) @binding(2) var<storage, read> key_rows: array<u32>;
@group(0) @binding(3) var<storage, read> query_rows: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<T4>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;

const FAR = 40.0; // sums of 2^87 such weights fit f32

@compute @workgroup_size(WG)
fn attention(grid: Grid) {
    let tile = slots_of(grid, p.queries);
    let list = tile.list;

    var qs: array<array<f32, DK>, R>; // scaled, so that scores are exponents of 2
    var acc: array<array<f32, DV>, R>;
    var reference: array<f32, R>;
    var sum: array<f32, R>;
    for (var r = 0u; r < R; r++) {
        let row = query_rows[list.group * p.queries + min(tile.first + r * WG, p.queries - 1u)];
        let base = ((list.batch * p.rows + select(row, 0u, row == NONE)) * HEADS + list.head) * DK;
        for (var d = 0u; d < DK; d++) { qs[r][d] = f32(q[base + d]) * p.scale; }
        reference[r] = 0.0;
    }

    for (var j0 = 0u; j0 < p.keys; j0 += BLOCK) {
        var block = array<array<V, FOURS>, BLOCK>();
        for (var b = 0u; b < BLOCK; b++) { block[b] = key_of(list, j0 + b); }
        var s = array<array<f32, BLOCK>, R>();
        var highest = array<f32, R>();
        var far = LOW;
        for (var r = 0u; r < R; r++) {
            highest[r] = LOW;
            for (var b = 0u; b < BLOCK; b++) {
                s[r][b] = -reference[r];
                for (var d = 0u; d < DK; d++) {
                    s[r][b] = fma(qs[r][d], block[b][d / 4u][d % 4u], s[r][b]);
                }
                highest[r] = max(highest[r], s[r][b]);
            }
            far = max(far, highest[r]);
        }
        // The first block's highest score is the reference; later ones only raise it.
        if far > FAR || j0 == 0u {
            for (var r = 0u; r < R; r++) {
                let raise = select(max(highest[r], 0.0), highest[r], j0 == 0u);
                reference[r] += raise;
                let shrink = exp2(-max(raise, 0.0));
                sum[r] *= shrink;
                for (var d = 0u; d < DV; d++) { acc[r][d] *= shrink; }
                for (var b = 0u; b < BLOCK; b++) { s[r][b] -= raise; }
            }
        }
        for (var r = 0u; r < R; r++) {
            for (var b = 0u; b < BLOCK; b++) {
                let weight = exp2(s[r][b]);
                sum[r] += weight;
                for (var d = 0u; d < DV; d++) {
                    acc[r][d] = fma(weight, block[b][(DK + d) / 4u][(DK + d) % 4u], acc[r][d]);
                }
            }
        }
    }

    let slots = p.groups * p.queries;
    for (var r = 0u; r < R; r++) {
        let slot = list.group * p.queries + min(tile.first + r * WG, p.queries - 1u);
        let live = query_rows[slot] != NONE;
        let base = ((list.batch * slots + slot) * HEADS + list.head) * DV;
        for (var d = 0u; d < DV; d++) { y[base + d] = T4(select(0.0, acc[r][d] / sum[r], live)); }
        lse[(list.batch * HEADS + list.head) * slots + slot] =
            select(0.0, (reference[r] + log2(sum[r])) * 0.69314718, live);
    }
}

fn key_of(list: List, j: u32) -> array<V, FOURS> {
    let row = key_rows[list.group * p.keys + j];
    let key = (list.batch * p.key_rows + row) * HEADS + list.head;
    var fours: array<V, FOURS>;
    for (var f = 0u; f < FOURS; f++) { fours[f] = V(keys[key * FOURS + f]); }
    return fours;
}
