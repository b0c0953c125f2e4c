// How many multiply-adds an adapter makes in a second: independent sums, and nothing else.
//
// Bindings: seed [2] f32, output y, one f32 per invocation.
// Constants: WG invocations per workgroup, CHAINS sums each, ROUNDS · STEPS multiply-adds per sum.
// Grid: one-dimensional, as many workgroups as fill the adapter.
//
// A multiply-add waits for the one before it in its own sum, so an invocation needs several sums to
// keep the units busy; too many do not fit the registers. STEPS are unrolled, which hides the loop.
// The factors come from a buffer, so that nothing can be computed beforehand.

@group(0) @binding(0) var<storage, read> seed: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn fma_peak(@builtin(global_invocation_id) id: vec3u) {
    let a = seed[0];
    let b = seed[1];
    var sum: array<f32, CHAINS>;
    for (var c = 0u; c < CHAINS; c++) { sum[c] = f32(id.x + c); }
    for (var round = 0u; round < ROUNDS; round++) {
        for (var step = 0u; step < STEPS; step++) {
            for (var c = 0u; c < CHAINS; c++) { sum[c] = fma(sum[c], a, b); }
        }
    }
    var total = 0.0;
    for (var c = 0u; c < CHAINS; c++) { total += sum[c]; }
    y[id.x] = total;
}
