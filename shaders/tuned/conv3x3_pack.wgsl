// Packs the weights of a 3×3 convolution as conv3x3_scalar.wgsl walks over them.
//
// Bindings: w [3, 3, Ci, Co] or its mirror by strides; output packed [Ci, 3, 3, OUTS], zero beyond Co; f32.
// Constants: WG.
// Params: count, the numbers of packed; co; outs, OUTS; where the weights' tap 0 begins, and how far apart
// their taps (modulo 2³², as it may be negative), input and output channels are.
// Grid: one invocation per number of packed; those beyond the end repeat the last.

import package::lib::index::{Grid, index_below};
import constants::WG;

struct Params { count: u32, co: u32, outs: u32, w_base: u32, w_tap: u32, w_in: u32, w_out: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> packed: array<f32>;

@compute @workgroup_size(WG)
fn conv3x3_pack(grid: Grid) {
    let at = index_below(grid, p.count);
    let out = at % p.outs;
    let tap = at / p.outs % 9u;
    let i = at / (9u * p.outs);
    let source = p.w_base + tap * p.w_tap + i * p.w_in + min(out, p.co - 1u) * p.w_out;
    packed[at] = select(0.0, weight[source], out < p.co);
}
