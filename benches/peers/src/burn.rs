//! burn's wgpu backend, for the kernels that it has too; its own tuner chooses among its kernels.

use anyhow::{Result, anyhow};
use burn_tensor::module::{attention, conv2d, layer_norm, linear};
use burn_tensor::ops::ConvOptions;
use burn_tensor::{Device, DeviceKind, Distribution, Tensor};

use crate::memory;
use crate::serve::Contestant;
use crate::work::Work;

/// Sets up `work` and answers for it; on a software driver if `software`.
///
/// # Errors
/// burn cannot run there.
pub fn serve(work: Work, software: bool) -> Result<()> {
    let options = Device::wgpu_options().device_kind(match software {
        true => DeviceKind::Cpu,
        false => DeviceKind::DefaultDevice,
    });
    let (device, setup) = options.init_with_setup()?;
    let before = memory::resident();
    let once = kernel(&device, work);
    let contestant = Contestant {
        adapter: setup.adapter.get_info().name,
        only_first: false,
        repeat: true,
        run: Box::new(|repeats| {
            for _ in 0..repeats {
                once(&device)?;
            }
            device.sync().map_err(|e| anyhow!("{e:?}"))
        }),
        check: Box::new(|| Ok(())), // `sync` tells
        peak: Box::new(|| match software {
            true => Some(memory::peak()?.saturating_sub(before?)),
            false => Some(device.memory_pool_usage()?.bytes_reserved),
        }),
    };
    contestant.serve()
}

type Once = Box<dyn Fn(&Device) -> Result<()>>;

/// Does `f` once. Its result outlives the flush: burn's fusion might spare what nobody keeps.
fn once<const D: usize>(f: impl Fn() -> Tensor<D> + 'static) -> Once {
    Box::new(move |device| {
        let _result = f();
        device.flush().map_err(|e| anyhow!("{e:?}"))
    })
}

fn kernel(device: &Device, work: Work) -> Once {
    match work {
        Work::Linear {
            rows,
            inputs,
            outputs,
            bias,
        } => {
            let x = random([rows, inputs], device);
            let w = random([inputs, outputs], device);
            let bias = bias.then(|| random([outputs], device));
            once(move || linear(x.clone(), w.clone(), bias.clone()))
        }
        Work::Conv3x3 {
            side,
            inputs,
            outputs,
        } => {
            let x = random([1, inputs, side, side], device);
            let w = random([outputs, inputs, 3, 3], device);
            let bias = random([outputs], device);
            let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
            once(move || conv2d(x.clone(), w.clone(), Some(bias.clone()), options.clone()))
        }
        Work::Depthwise5x5 { side, channels } => {
            let x = random([1, channels, side, side], device);
            let w = random([channels, 1, 5, 5], device);
            let bias = random([channels], device);
            let options = ConvOptions::new([1, 1], [2, 2], [1, 1], channels);
            once(move || conv2d(x.clone(), w.clone(), Some(bias.clone()), options.clone()))
        }
        Work::LayerNorm { rows, channels } => {
            let x = random([rows, channels], device);
            let (w, bias) = (random([channels], device), random([channels], device));
            once(move || layer_norm(x.clone(), w.clone(), Some(bias.clone()), 1e-5))
        }
        Work::Attention {
            windows,
            tokens,
            heads,
            dk,
            dv,
        } => {
            let [q, k, v] = [dk, dk, dv].map(|d| random([windows, heads, tokens, d], device));
            let options = Default::default;
            once(move || attention(q.clone(), k.clone(), v.clone(), None, None, options()))
        }
        Work::Forward { .. } | Work::Train { .. } | Work::Start { .. } => {
            unreachable!("burn has no CATANet")
        }
    }
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-0.5, 0.5), device)
}
