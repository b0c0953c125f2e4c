// V, what a kernel loads and stores at once: here one number. `lib::vec` is this file where
// VEC = 1.

alias V = f32;

fn sum_of(v: V) -> f32 { return v; }
