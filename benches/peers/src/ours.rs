//! Our side.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use autograd::Var;
use catanet::{CATANet, Mode};
use nn::{Adam, AdamOptions, Module, State, l1_loss, parameters};
use tensor::ops::{self, Activation, AttentionLists, RowLists};
use tensor::{Device, Tensor};

use crate::memory;
use crate::serve::Contestant;
use crate::work::Work;

/// Sets up `work` and answers for it.
///
/// # Errors
/// No adapter, or the work does not fit it.
pub fn serve(work: Work) -> Result<()> {
    let device = Device::open(None)?;
    let before = memory::resident();
    let mut once = prepare(&device, work);
    let result = RefCell::new(None);
    let contestant = Contestant {
        adapter: device.name().to_owned(),
        repeat: work.is_kernel(),
        only_first: matches!(work, Work::Start { .. }),
        run: Box::new(|repeats| {
            for _ in 0..repeats {
                result.replace(Some(once()));
            }
            Ok(device.wait_idle()?)
        }),
        // A failure travels with the data: reading tells.
        check: Box::new(|| {
            let result = result.borrow();
            let y: &Tensor = result.as_ref().context("nothing was computed")?;
            let finite = y.to_vec()?.iter().all(|v| v.is_finite());
            finite.then_some(()).context("the result is not finite")
        }),
        peak: Box::new(|| match device.is_software() {
            true => Some(memory::peak()?.saturating_sub(before?)),
            false => Some(device.stats().pool_bytes), // the pool keeps what it ever needed
        }),
    };
    contestant.serve()
}

/// What does the work once, recording it.
fn prepare(device: &Device, work: Work) -> Box<dyn FnMut() -> Tensor> {
    match work {
        Work::Forward {
            scale,
            height,
            width,
        } => {
            let net = trained(device, scale);
            let x = random(device, &[1, height, width, 3]);
            Box::new(move || net.upscale(&x))
        }
        Work::Start { scale, side, .. } => prepare(
            device,
            Work::Forward {
                scale,
                height: side,
                width: side,
            },
        ),
        Work::Train { scale, batch, side } => train(device, scale, batch, side),
        kernel => self::kernel(device, kernel),
    }
}

/// A network whose centres are those of training, any unit vectors.
fn trained(device: &Device, scale: usize) -> CATANet {
    let net = CATANet::new(device, scale, 0);
    net.visit("", &mut |_, state| match state {
        State::Buffer(means) => means.copy_from(&ops::unit(&random(device, means.shape()))),
        State::Flag(initted) => initted.store(true, Ordering::Relaxed),
        State::Parameter(_) => {}
    });
    net
}

fn train(device: &Device, scale: usize, batch: usize, side: usize) -> Box<dyn FnMut() -> Tensor> {
    let net = trained(device, scale);
    let options = AdamOptions {
        lr: 2e-4,
        betas: (0.9, 0.99),
        eps: 1e-8,
        weight_decay: 0.0,
        decoupled: false,
    };
    let mut adam = Adam::new(parameters(&net), options);
    let image = |side| Var::constant(random(device, &[batch, side, side, 3]));
    let (x, target) = (image(side), image(side * scale));
    Box::new(move || {
        let loss = l1_loss(&net.forward(&x, Mode::Train), &target);
        loss.backward();
        adam.step();
        loss.value().clone()
    })
}

/// The kernels, called as the network calls them.
fn kernel(device: &Device, work: Work) -> Box<dyn FnMut() -> Tensor> {
    let random = |shape: &[usize]| random(device, shape);
    match work {
        Work::Linear {
            rows,
            inputs,
            outputs,
            bias,
        } => {
            let (x, w) = (random(&[rows, inputs]), random(&[outputs, inputs]));
            let bias = bias.then(|| random(&[outputs]));
            Box::new(move || ops::linear(&x, &w, bias.as_ref(), Activation::None, None))
        }
        Work::Conv3x3 {
            side,
            inputs,
            outputs,
        } => {
            let x = random(&[1, side, side, inputs]);
            let (w, bias) = (random(&[3, 3, inputs, outputs]), random(&[outputs]));
            Box::new(move || ops::conv3x3(&x, &w, Some(&bias), None))
        }
        Work::Depthwise5x5 { side, channels } => {
            let x = random(&[1, side, side, channels]);
            let (w, bias) = (random(&[5, 5, channels]), random(&[channels]));
            Box::new(move || ops::depthwise5x5(&x, &w, Some(&bias)))
        }
        Work::LayerNorm { rows, channels } => {
            let (x, w, bias) = (
                random(&[rows, channels]),
                random(&[channels]),
                random(&[channels]),
            );
            Box::new(move || ops::layer_norm(&x, &w, &bias, 1e-5).0)
        }
        Work::Attention {
            windows,
            tokens,
            heads,
            dk,
            dv,
        } => {
            let rows = windows * tokens;
            let index: Vec<_> = (0..rows as u32).collect();
            let lists = AttentionLists::within(RowLists::new(device, &index, windows, rows));
            let [q, k, v] = [dk, dk, dv].map(|width| random(&[1, rows, heads * width]));
            Box::new(move || ops::attention(&q, &k, &v, &lists, heads).0)
        }
        Work::Forward { .. } | Work::Train { .. } | Work::Start { .. } => {
            unreachable!("not a kernel")
        }
    }
}

/// Uniform in ±½: SplitMix64, the same sequence in every process.
fn random(device: &Device, shape: &[usize]) -> Tensor {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    static STATE: AtomicU64 = AtomicU64::new(0);
    let values = (0..shape.iter().product()).map(|_| {
        let state = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        (nn::rng::mix(state) >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    });
    Tensor::new(device, &values.collect::<Vec<_>>(), shape)
}
