// Element by element: sums and products, and activations with their derivatives.
//
// Bindings: inputs a, b [4·count], output y [4·count]; of one input: a, y; of fill: y. All in
// fours, each of them f32 or f16.
// Constants: WG; VEC (4).
// Params: count, the fours; sa, sb, the factors (0 where the formula has none).
// Grid: one invocation per four elements; the last four may reach past the tensor's end, never past
// its buffer's. Memory bounds all of these, so the only care is to touch each element once.

import package::lib::index::{Grid, index_below};
import package::lib::erf::{gelu_of, gelu_derivative};
import package::lib::vec::V;
import constants::WG;

struct Params { count: u32, sa: f32, sb: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> a: array<V0>;
@group(0) @binding(1) var<storage, read> b: array<V1>;
@group(0) @binding(2) var<storage, read_write> y2: array<V2>; // output after two inputs
@group(0) @binding(1) var<storage, read_write> y1: array<V1>; // output after one
@group(0) @binding(0) var<storage, read_write> y0: array<V0>; // output alone

// y = sa
@compute @workgroup_size(WG)
fn fill(grid: Grid) {
    let i = index_below(grid, p.count);
    y0[i] = V0(V(p.sa));
}

// y = sa·a + sb·b
@compute @workgroup_size(WG)
fn weighted_sum(grid: Grid) {
    let i = index_below(grid, p.count);
    y2[i] = V2(p.sa * V(a[i]) + p.sb * V(b[i]));
}

// y = a·b
@compute @workgroup_size(WG)
fn mul(grid: Grid) {
    let i = index_below(grid, p.count);
    y2[i] = V2(V(a[i]) * V(b[i]));
}

// y = sa·a
@compute @workgroup_size(WG)
fn scale(grid: Grid) {
    let i = index_below(grid, p.count);
    y1[i] = V1(p.sa * V(a[i]));
}

// y = a·Φ(a)
@compute @workgroup_size(WG)
fn gelu(grid: Grid) {
    let i = index_below(grid, p.count);
    y1[i] = V1(gelu_of(V(a[i])));
}

// a = x, b = dy:  dx = dy · gelu'(x).
@compute @workgroup_size(WG)
fn gelu_backward(grid: Grid) {
    let i = index_below(grid, p.count);
    y2[i] = V2(V(b[i]) * gelu_derivative(V(a[i])));
}

// y = a, or sa·a below zero.
@compute @workgroup_size(WG)
fn leaky_relu(grid: Grid) {
    let i = index_below(grid, p.count);
    let x = V(a[i]);
    y1[i] = V1(select(p.sa * x, x, x > V()));
}

// a = x, b = dy:  dx = dy, or sa·dy where x is not above zero.
@compute @workgroup_size(WG)
fn leaky_relu_backward(grid: Grid) {
    let i = index_below(grid, p.count);
    let dy = V(b[i]);
    y2[i] = V2(select(p.sa * dy, dy, V(a[i]) > V()));
}
