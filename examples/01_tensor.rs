//! A tensor, and one kernel end to end: `cargo run --example 01_tensor`.
//!
//! The ladder: 00 scalar tape, 01 tensor, 02 kernel, 03 autograd, 04 layers, 05 training, 06 super-resolution,
//! 07 attention. book/src/README.md is the way along it.

use tensor::{Device, Tensor, list_adapters, ops};

fn main() -> anyhow::Result<()> {
    // 1. A device is an opened adapter: a graphics card, or a driver that runs kernels on the
    //    processor. The environment decides what there is, so this is a `Result`.
    for (number, adapter) in list_adapters().iter().enumerate() {
        println!(
            "adapter {number}: {} ({}, {})",
            adapter.name, adapter.kind, adapter.backend
        );
    }
    let device = Device::open(None)?; // CATANET_ADAPTER=1 would choose another
    println!("opened:    {}\n", device.name());

    // 2. A tensor is a shape and a buffer on the device: row-major, channels last. The same six
    //    numbers are two rows of three channels, or six of one: reshaping costs nothing.
    let host = [-3.0, -1.0, -0.5, 0.0, 0.5, 2.0];
    let x = Tensor::new(&device, &host, &[2, 3]);
    println!("x is {x:?}: {} rows, {} channels", x.rows(), x.channels());
    println!("reshaped:  {:?}\n", x.reshape(&[6, 1]).shape());

    // 3. One kernel end to end. `ops::gelu` checks its argument, takes a buffer for the result and
    //    records one dispatch: the entry point `gelu` of shaders/plain/elementwise.wgsl, where each
    //    invocation computes one element, y[i] = x[i]·Φ(x[i]). tensor/src/ops/elementwise.rs is the
    //    Rust side, three lines of it. Nothing runs yet: a GPU is fed in batches, because handing
    //    it work costs more than a small kernel does.
    let before = device.stats();
    let y = ops::gelu(&x);
    let z = ops::add(&x, &y);
    let recorded = device.stats();
    let z = z.to_vec()?; // the only wait: submits the batch and copies the result back
    let after = device.stats();
    println!(
        "recorded {} kernels, then {} submission and {} read-back",
        recorded.dispatches - before.dispatches,
        after.submits - before.submits,
        after.read_backs - before.read_backs
    );

    // 4. What a kernel is held to: the same sum in a plain loop on the host, in f64.
    println!("      x   x + gelu(x)     host loop");
    for (&x, &got) in host.iter().zip(&z) {
        let wanted = f64::from(x) * (1.0 + normal_cdf(f64::from(x)));
        println!("{x:7.2} {got:13.7} {wanted:13.7}");
        anyhow::ensure!(
            (f64::from(got) - wanted).abs() < 1e-5,
            "the kernel is wrong"
        );
    }

    // 5. Sums run in a fixed order, without atomics, so the same input gives the same bits. It is
    //    what makes a training run reproducible.
    let many: Vec<f32> = (0..100_000).map(|i| (i as f32).sin()).collect();
    let many = Tensor::new(&device, &many, &[100_000]);
    let [first, second] = [ops::sum(&many).item()?, ops::sum(&many).item()?];
    let same = first.to_bits() == second.to_bits();
    println!("\nΣ sin i = {first} and {second}: same bits: {same}");

    // 6. Errors travel. A wrong shape is a mistake in the program and panics at its line; but that
    //    memory runs out is nobody's mistake, and is found out late. So a tensor may be failed, as
    //    a number may be NaN: ops pass the failure on, and reading back returns its first cause.
    let rows = device.max_tensor_bytes() as usize / 4 + 1;
    let too_large = ops::broadcast_rows(&Tensor::full(&device, 1.0, &[1]), rows); // no panic …
    let computed_from_it = ops::sum(&ops::gelu(&too_large)); // … nor here …
    match computed_from_it.item() {
        Ok(sum) => println!("a sum of {sum}"),
        Err(cause) => println!("\nto_vec says: {cause}"), // … but here, with the cause
    }
    Ok(())
}

/// Φ, the normal distribution's integral from −∞: Simpson's rule, slow and beyond doubt.
fn normal_cdf(x: f64) -> f64 {
    const STEPS: usize = 1000;
    let density = |t: f64| (-0.5 * t * t).exp() / std::f64::consts::TAU.sqrt();
    let h = x / STEPS as f64;
    let weight = |i: usize| match i {
        0 | STEPS => 1.0,
        _ if i.is_multiple_of(2) => 2.0,
        _ => 4.0,
    };
    let sum: f64 = (0..=STEPS).map(|i| weight(i) * density(i as f64 * h)).sum();
    0.5 + sum * h / 3.0
}
