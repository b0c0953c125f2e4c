//! The work whose kernels are looked at: what a user waits for.

use std::sync::atomic::Ordering;

use anyhow::Result;
use autograd::Var;
use catanet::{CATANet, Mode};
use nn::{Adam, AdamOptions, Module, State, l1_loss, parameters};
use tensor::{Device, KernelUse, Tensor};

/// Kernels of a ×4 forward pass of one image.
///
/// # Errors
/// The device failed.
pub fn forward(device: &Device, side: usize) -> Result<Vec<KernelUse>> {
    let net = trained(device, 4);
    let x = Tensor::full(device, 0.5, &[1, side, side, 3]);
    let upscale = || net.upscale(&x);
    upscale(); // makes lists, once for a size
    let (y, kernels) = device.kernels_of(upscale);
    drop(y);
    device.wait_idle()?;
    Ok(kernels)
}

/// Kernels of a ×2 training step of so many crops of 64×64.
///
/// # Errors
/// The device failed.
pub fn step(device: &Device, batch: usize) -> Result<Vec<KernelUse>> {
    let net = trained(device, 2);
    let options = AdamOptions {
        lr: 2e-4,
        betas: (0.9, 0.99),
        eps: 1e-8,
        weight_decay: 0.0,
        decoupled: false,
    };
    let mut adam = Adam::new(parameters(&net), options);
    let image = |side| Var::constant(Tensor::full(device, 0.5, &[batch, side, side, 3]));
    let (x, target) = (image(64), image(128));
    let mut step = || {
        let loss = l1_loss(&net.forward(&x, Mode::Train), &target);
        loss.backward();
        adam.step();
    };
    step();
    let ((), kernels) = device.kernels_of(step);
    device.wait_idle()?;
    Ok(kernels)
}

/// A network whose centres count as those of training.
fn trained(device: &Device, scale: usize) -> CATANet {
    let net = CATANet::new(device, scale, 0);
    net.visit("", &mut |_, state| {
        if let State::Flag(initted) = state {
            initted.store(true, Ordering::Relaxed);
        }
    });
    net
}
