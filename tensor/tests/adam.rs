//! Adam against PyTorch's formula in f64.

mod common;

use common::{assert_close, assert_same_bits, device, host, random, random_vec};
use tensor::Tensor;
use tensor::ops::{AdamOptions, adam};

const STEPS: u64 = 7;

/// The gradient of a step. The first element never gets one.
fn gradient(step: u64, len: usize) -> Tensor {
    let mut g = random_vec(100 + step, len);
    g[0] = 0.0;
    Tensor::new(&device(), &g, &[len])
}

/// Parameter and moments after all steps, on the device.
fn run(len: usize, options: &AdamOptions) -> [Tensor; 3] {
    let w = random(1, &[len]);
    let [m, v] = [0, 1].map(|_| Tensor::full(&device(), 0.0, &[len]));
    for step in 1..=STEPS {
        adam(&w, &gradient(step, len), &m, &v, step, options);
    }
    [w, m, v]
}

/// The same on the host, line by line as torch.optim.Adam, or AdamW, does it.
fn run_on_host(len: usize, o: &AdamOptions) -> [Vec<f64>; 3] {
    let (mut w, mut m, mut v) = (host(&random(1, &[len])), vec![0.0; len], vec![0.0; len]);
    for step in 1..=STEPS {
        let g = host(&gradient(step, len));
        let correction1 = 1.0 - o.betas.0.powi(step as i32);
        let correction2 = 1.0 - o.betas.1.powi(step as i32);
        for i in 0..len {
            let mut g = g[i];
            match o.decoupled {
                true => w[i] *= 1.0 - o.lr * o.weight_decay,
                false => g += o.weight_decay * w[i],
            }
            m[i] = o.betas.0 * m[i] + (1.0 - o.betas.0) * g;
            v[i] = o.betas.1 * v[i] + (1.0 - o.betas.1) * g * g;
            let denominator = v[i].sqrt() / correction2.sqrt() + o.eps;
            w[i] -= o.lr / correction1 * m[i] / denominator;
        }
    }
    [w, m, v]
}

fn options(weight_decay: f64) -> AdamOptions {
    AdamOptions {
        lr: 0.01,
        betas: (0.9, 0.99),
        eps: 1e-8,
        weight_decay,
        decoupled: false,
    }
}

#[test]
fn several_steps_follow_pytorch_with_and_without_weight_decay() {
    for len in [1, 3, 1001] {
        let adams = [0.0, 0.1].map(options);
        let adamw = AdamOptions {
            decoupled: true,
            ..options(0.5)
        };
        for options in [adams[0], adams[1], adamw] {
            let got = run(len, &options);
            let expected = run_on_host(len, &options);
            for (i, name) in ["parameter", "first moment", "second moment"]
                .iter()
                .enumerate()
            {
                assert_close(name, &got[i], &expected[i], 1e-6);
            }
        }
    }
}

#[test]
fn a_parameter_without_gradient_stays() {
    let [w, ..] = run(3, &options(0.0));
    assert_eq!(w.to_vec().unwrap()[0], random_vec(1, 3)[0]);
}

#[test]
fn a_decay_of_nothing_is_the_same_coupled_or_not_to_the_bit() {
    let decoupled = AdamOptions {
        decoupled: true,
        ..options(0.0)
    };
    let (adam, adamw) = (run(1001, &options(0.0)), run(1001, &decoupled));
    for (adam, adamw) in adam.iter().zip(&adamw) {
        assert!(adam.to_vec().unwrap() == adamw.to_vec().unwrap());
    }
}

#[test]
fn decoupled_decay_shrinks_a_parameter_whose_gradient_is_zero() {
    let decoupled = AdamOptions {
        decoupled: true,
        ..options(0.5)
    };
    let [w, m, _] = run(3, &decoupled);
    let kept = (1.0 - 0.01 * 0.5_f64).powi(STEPS as i32);
    let expected = f64::from(random_vec(1, 3)[0]) * kept;
    assert!((f64::from(w.to_vec().unwrap()[0]) - expected).abs() < 1e-6);
    assert_eq!(m.to_vec().unwrap()[0], 0.0);
}

#[test]
fn two_runs_give_the_same_bits() {
    for part in 0..3 {
        assert_same_bits("adam", || run(1001, &options(0.1))[part].clone());
    }
}
