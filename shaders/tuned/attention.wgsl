// As plain/attention.wgsl; 40 times as fast on a software driver (16 lanes), because scores are
// never stored nor made twice, and because the keys, packed by attention_pack.wgsl, are loaded by
// fours, each once for R·LANES query slots.
//
// Bindings: q [B, Nq, HEADS·DK]; packed keys [B, Nk, HEADS] or, if LISTED, [lists, K] of the lists
// that this grid is for; key_rows [G·K] u32 (not read if LISTED); query_rows [S] u32; outputs
// y [B, S, HEADS·DV], lse [B, HEADS, S]; both zero in empty slots. q, keys and y may be f16.
// Constants: WG; VEC (4); LANES; R slots per invocation; BLOCK keys per step (4 or more); HEADS,
// DK, DV; FOURS = ⌈(DK + DV) / 4⌉ of a packed key; LISTED (0 or 1).
// Params: count, the tiles; first, the first of their lists; G; Q; K; Nq; Nk; scale·log2(e).
// Grid: a tile of lib/attention_tile.wgsl per LANES invocations, walking over the
// keys of its group.
//
// Every step takes BLOCK keys, raises the row's maximum if need be, and corrects its sums by the
// difference (the online softmax). The block makes that correction cheap, and it is in registers
// while R rows go over it; every lane loads a key or a part of one, to be spread. Within a row the
// scores are summed over the block first: BLOCK sums, none of which waits for another.
// Nothing returns early (lanes that can be switched off cost the software driver dear): slots
// beyond the end repeat the last one and store its values once more.

import package::lib::index::{Grid, index};
import package::lib::attention::{p, NONE, LOW};
import package::lib::attention_tile::{tile_of, STEP, spread_number};
import package::lib::attention_keys::key_part;
import package::lib::exp2::powers_of_2;
import package::lib::spread::spread;
import constants::{WG, LANES, R, BLOCK, HEADS, DK, DV};

@group(0) @binding(0) var<storage, read> q: array<T0>;
@group(0) @binding(3) var<storage, read> query_rows: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<T4>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;

// max as Mesa's software driver compiles it at 512 bits is seven instructions; this is two.
fn larger(a: f32, b: f32) -> f32 { return select(a, b, b > a); }

@compute @workgroup_size(WG)
fn attention(grid: Grid) {
    let number = min(index(grid) / LANES, p.count - 1u);
    let lane = grid.local % LANES;
    let tile = tile_of(number, lane, p.queries);

    var qs: array<array<f32, DK>, R>; // scaled, so that scores are exponents of 2
    var acc: array<array<f32, DV>, R>;
    var top: array<f32, R>; // the largest score so far
    var sum: array<f32, R>;
    for (var r = 0u; r < R; r++) {
        let row = query_rows[tile.group * p.queries + min(tile.first + r * LANES, p.queries - 1u)];
        let base = ((tile.batch * p.rows + select(row, 0u, row == NONE)) * HEADS + tile.head) * DK;
        for (var d = 0u; d < DK; d++) { qs[r][d] = f32(q[base + d]) * p.scale; }
        for (var d = 0u; d < DV; d++) { acc[r][d] = 0.0; }
        top[r] = LOW;
        sum[r] = 0.0;
    }

    for (var j0 = 0u; j0 < p.keys; j0 += BLOCK) {
        var start = array<f32, BLOCK>(); // of the score: LOW beyond the last key
        var key = array<array<f32, BLOCK>, DK>();
        var value = array<array<f32, BLOCK>, DV>();
        for (var b = 0u; b < BLOCK; b += STEP) {
            let j = j0 + b + lane % STEP;
            let part = key_part(tile, lane, j);
            let starts = spread(select(LOW, 0.0, j < p.keys));
            for (var l = 0u; l < STEP; l++) { start[b + l] = starts[l]; }
            for (var d = 0u; d < DK; d++) {
                let spread_k = spread_number(part, d);
                for (var l = 0u; l < STEP; l++) { key[d][b + l] = spread_k[l]; }
            }
            for (var d = 0u; d < DV; d++) {
                let spread_v = spread_number(part, DK + d);
                for (var l = 0u; l < STEP; l++) { value[d][b + l] = spread_v[l]; }
            }
        }
        for (var r = 0u; r < R; r++) {
            var s = start;
            for (var d = 0u; d < DK; d++) {
                for (var b = 0u; b < BLOCK; b++) { s[b] = fma(qs[r][d], key[d][b], s[b]); }
            }
            // Four maxima that do not wait for each other; the loop takes in all of s.
            var largest = array<f32, 4>(top[r], s[1], s[2], s[3]);
            for (var b = 0u; b < BLOCK; b++) { largest[b % 4u] = larger(largest[b % 4u], s[b]); }
            let raised = larger(larger(largest[0], largest[1]), larger(largest[2], largest[3]));
            for (var b = 0u; b < BLOCK; b++) { s[b] -= raised; }
            let weight = powers_of_2(s);
            let shrink = exp2(top[r] - raised);
            top[r] = raised;
            sum[r] *= shrink;
            for (var d = 0u; d < DV; d++) { acc[r][d] *= shrink; }
            for (var b = 0u; b < BLOCK; b++) {
                sum[r] += weight[b];
                for (var d = 0u; d < DV; d++) { acc[r][d] = fma(weight[b], value[d][b], acc[r][d]); }
            }
        }
    }

    let slots = p.groups * p.queries;
    for (var r = 0u; r < R; r++) {
        let i = min(tile.first + r * LANES, p.queries - 1u);
        let slot = tile.group * p.queries + i;
        let live = query_rows[slot] != NONE;
        let base = ((tile.batch * slots + slot) * HEADS + tile.head) * DV;
        for (var d = 0u; d < DV; d++) { y[base + d] = T4(select(0.0, acc[r][d] / sum[r], live)); }
        lse[(tile.batch * HEADS + tile.head) * slots + slot] =
            select(0.0, (top[r] + log2(sum[r])) * 0.69314718, live);
    }
}
