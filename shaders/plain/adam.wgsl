// One step of Adam (Kingma & Ba 2015) as torch.optim.Adam does it, or AdamW (Loshchilov & Hutter 2019)
// as torch.optim.AdamW does, in place:
//
//   g ← g + decay·w;  m ← β1·m + (1−β1)·g;  v ← β2·v + (1−β2)·g²
//   w ← kept·w − step_size·m / (√v / √(1−β2ᵗ) + ε),   step_size = lr / (1−β1ᵗ)
//
// Adam's kept is 1, AdamW's decay is 0.
//
// Bindings: gradient g [n]; parameter w, first moment m, second moment v [n], updated; all f32.
// Constants: WG. Params: count, n; then as in the formula, inverse_root being 1 / √(1−β2ᵗ).
// Grid: one invocation per element.

import package::lib::index::{Grid, index};
import constants::WG;

struct Params {
    count: u32, step_size: f32, beta1: f32, beta2: f32, eps: f32, decay: f32,
    one_minus_beta1: f32, one_minus_beta2: f32, inverse_root: f32,
    kept: f32,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read_write> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> m: array<f32>;
@group(0) @binding(3) var<storage, read_write> v: array<f32>;

@compute @workgroup_size(WG)
fn adam(grid: Grid) {
    let i = index(grid);
    if i >= p.count { return; }
    let grad = g[i] + p.decay * w[i];
    m[i] = p.beta1 * m[i] + p.one_minus_beta1 * grad;
    v[i] = p.beta2 * v[i] + p.one_minus_beta2 * grad * grad;
    w[i] = p.kept * w[i] - p.step_size * m[i] / (sqrt(v[i]) * p.inverse_root + p.eps);
}
