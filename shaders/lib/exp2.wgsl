// 2^x of each of a block's numbers, for x below 100.
//
// Written out for a software driver: Mesa's own exp2 is twice as long at 512 bits, and sums that
// need not wait for each other keep the processor's pipelines full.

import constants::{LANES, BLOCK};

fn powers_of_2(x: array<f32, BLOCK>) -> array<f32, BLOCK> {
    var y: array<f32, BLOCK>;
    if LANES == 1u {
        for (var b = 0u; b < BLOCK; b++) { y[b] = exp2(x[b]); }
        return y;
    }
    var low: array<f32, BLOCK>;
    var f: array<f32, BLOCK>;
    for (var b = 0u; b < BLOCK; b++) { low[b] = select(x[b], -126.0, x[b] < -126.0); }
    for (var b = 0u; b < BLOCK; b++) { f[b] = low[b] - round(low[b]); } // [−1/2, 1/2]
    // The minimax polynomial of degree 5: 7.5e-8.
    for (var b = 0u; b < BLOCK; b++) { y[b] = fma(0.0013276471, f[b], 0.009675541); }
    for (var b = 0u; b < BLOCK; b++) { y[b] = fma(y[b], f[b], 0.05550713); }
    for (var b = 0u; b < BLOCK; b++) { y[b] = fma(y[b], f[b], 0.2402212); }
    for (var b = 0u; b < BLOCK; b++) { y[b] = fma(y[b], f[b], 0.69314694); }
    for (var b = 0u; b < BLOCK; b++) { y[b] = fma(y[b], f[b], 1.0000001); }
    // Added to 1.5·2^23 a number is rounded, in the last bits; moved up, it is in the exponent.
    for (var b = 0u; b < BLOCK; b++) {
        y[b] = bitcast<f32>(bitcast<i32>(y[b]) + (bitcast<i32>(low[b] + 12582912.0) << 23u));
    }
    return y;
}
