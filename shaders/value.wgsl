// What an invocation of a channel-wise kernel works on: one channel. Preceded by erf.wgsl.
alias Value = f32;
fn gelu_of_value(x: Value) -> Value { return gelu_of(x); }
