// Functions, not kernels: put before the files that need them (WGSL has no erf).

// erf(x) = x·P(x²)/Q(x²), the minimax fit for |x| < 4 (beyond, erf is ±1 in f32): error below 3e-7.
fn erf(v: f32) -> f32 {
    let x = clamp(v, -4.0, 4.0);
    let s = x * x;
    var num = -2.72614225801306e-10;
    num = num * s + 2.77068142495902e-08;
    num = num * s - 2.10102402082508e-06;
    num = num * s - 5.69250639462346e-05;
    num = num * s - 7.34990630326855e-04;
    num = num * s - 2.95459980854025e-03;
    num = num * s - 1.60960333262415e-02;
    var den = -1.45660718464996e-05;
    den = den * s - 2.13374055278905e-04;
    den = den * s - 1.68282697438203e-03;
    den = den * s - 7.37332916720468e-03;
    den = den * s - 1.42647390514189e-02;
    return x * num / den;
}

// The exact GELU, x·Φ(x), Φ the normal distribution.
fn gelu_of(x: f32) -> f32 { return 0.5 * x * (1.0 + erf(x * 0.70710678)); }

fn erf4(v: vec4f) -> vec4f { return vec4f(erf(v.x), erf(v.y), erf(v.z), erf(v.w)); }

fn gelu_of4(v: vec4f) -> vec4f {
    return vec4f(gelu_of(v.x), gelu_of(v.y), gelu_of(v.z), gelu_of(v.w));
}
