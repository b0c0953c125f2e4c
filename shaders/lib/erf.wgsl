// The error function, which WGSL does not have, and the GELU made of it.

import package::lib::vec::V;

// erf(x) = x·P(x²)/Q(x²), the minimax fit for |x| < 4 (beyond, erf is ±1 in f32): error below 3e-7.
fn erf(v: V) -> V {
    // clamp, which Mesa's software driver compiles to fourteen instructions at 512 bits.
    let x = select(select(v, V(4.0), v > V(4.0)), V(-4.0), v < V(-4.0));
    let s = x * x;
    var num = V(-2.72614225801306e-10);
    num = num * s + 2.77068142495902e-08;
    num = num * s - 2.10102402082508e-06;
    num = num * s - 5.69250639462346e-05;
    num = num * s - 7.34990630326855e-04;
    num = num * s - 2.95459980854025e-03;
    num = num * s - 1.60960333262415e-02;
    var den = V(-1.45660718464996e-05);
    den = den * s - 2.13374055278905e-04;
    den = den * s - 1.68282697438203e-03;
    den = den * s - 7.37332916720468e-03;
    den = den * s - 1.42647390514189e-02;
    return x * num / den;
}

// The exact GELU, x·Φ(x), Φ the normal distribution.
fn gelu_of(x: V) -> V { return 0.5 * x * (1.0 + erf(x * 0.70710678)); }

// Its derivative, Φ(x) + x·φ(x), φ the normal density.
fn gelu_derivative(x: V) -> V {
    let cdf = 0.5 * (1.0 + erf(x * 0.70710678));
    let pdf = 0.39894228 * exp(-0.5 * x * x);
    return cdf + x * pdf;
}
