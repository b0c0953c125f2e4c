// The sum of 256 numbers by one workgroup, in an order that is always the same: first x[i] + x[i + 128] for
// all i below 128, then the sums of these that are 64 apart, and so on, until one number is left.
//
// Bindings: x [256], output y [256]: the sum, and what is left in the other places, where each number stays
// as it was when it was last added to another. Grid: one workgroup.

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

var<workgroup> part: array<f32, 256>;

@compute @workgroup_size(256)
fn sum(@builtin(local_invocation_index) i: u32) {
    part[i] = x[i];
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier(); // all have written before anybody reads
        // Fill in: the first `half` invocations each add the number that lies `half` further on to their own.
    }
    workgroupBarrier();
    y[i] = part[i];
}
