//! Training: batches, a held-out set, a schedule: `cargo run --example 05_training`.
//!
//! Builds on 04, where the network saw all there was. Here it sees a part, and is judged by another.

use autograd::{Var, gelu, no_grad};
use nn::{Adam, AdamOptions, Linear, Module, ParameterStore, Schedule};
use nn::{State, join, mse_loss, parameters};
use tensor::{Device, Tensor};

const STEPS: u64 = 600;
const BATCH: usize = 128;

/// [N, 2] → [N, 1]: above 0 is one class, below is the other.
struct Net([Linear; 3]);

impl Net {
    fn new(store: &mut ParameterStore, c: usize) -> Net {
        Net([(2, c), (c, c), (c, 1)].map(|(from, to)| Linear::new(store, from, to, true)))
    }

    fn forward(&self, x: &Var) -> Var {
        let [first, middle, last] = &self.0;
        last.forward(&gelu(&middle.forward(&gelu(&first.forward(x)))))
    }
}

impl Module for Net {
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State)) {
        for (i, layer) in self.0.iter().enumerate() {
            layer.visit(&join(name, &i.to_string()), visitor);
        }
    }
}

/// What is to be learnt: two arms of a spiral, 1 and −1.
fn class(&[x, y]: &[f32; 2]) -> f32 {
    (y.atan2(x) - 2.0 * x.hypot(y)).sin().signum()
}

/// The i-th of endlessly many points that fill the square from −2 to 2 evenly (Roberts 2018).
fn point(i: usize) -> [f32; 2] {
    [0.754_877_67, 0.569_840_3].map(|step: f64| (4.0 * (i as f64 * step).fract() - 2.0) as f32)
}

/// Points and their classes: [N, 2], [N, 1].
fn samples(device: &Device, points: &[[f32; 2]]) -> [Var; 2] {
    let classes: Vec<f32> = points.iter().map(class).collect();
    let var = |data: &[f32], c| Var::constant(Tensor::new(device, data, &[points.len(), c]));
    [var(points.as_flattened(), 2), var(&classes, 1)]
}

fn main() -> anyhow::Result<()> {
    let device = Device::open(None)?;
    let net = Net::new(&mut ParameterStore::new(&device, 1), 48);
    // It rises while Adam knows little of the gradients, and falls so that the weights come to rest.
    let (lr, floor, iterations) = (0.1, 1e-4, STEPS);
    let then = Box::new(Schedule::Cosine {
        lr,
        floor,
        iterations,
    });
    let schedule = Schedule::Warmup { steps: 20, then };
    let mut adam = Adam::new(parameters(&net), AdamOptions::default());
    let held_out: Vec<_> = (0..400).map(point).collect();
    let [held_x, held_y] = samples(&device, &held_out);
    println!("step     rate    batch  held out");
    for step in 0..=STEPS {
        let first = 400 + step as usize * BATCH; // no point twice, and none that is held out
        let batch: Vec<_> = (first..first + BATCH).map(point).collect();
        let [x, y] = samples(&device, &batch);
        let loss = mse_loss(&net.forward(&x), &y);
        if step % 50 == 0 {
            let held = no_grad(|| mse_loss(&net.forward(&held_x), &held_y)).item()?;
            let bar = "#".repeat((40.0 * held) as usize);
            let (rate, loss) = (schedule.lr(step), loss.item()?);
            println!("{step:4}  {rate:.5}  {loss:.4}    {held:.4}  {bar}");
        }
        loss.backward();
        adam.set_lr(schedule.lr(step));
        adam.step();
    }

    // Every place by its class as learnt, x where that is wrong.
    let (width, height) = (60, 26);
    let along = |at: usize, n: usize| (4 * at + 2) as f32 / n as f32 - 2.0;
    let places = (0..width * height).map(|i| [along(i % width, width), along(i / width, height)]);
    let [x, y] = samples(&device, &places.collect::<Vec<_>>());
    let learnt = no_grad(|| net.forward(&x)).value().to_vec()?;
    let ink = |(&learnt, &class): (&f32, &f32)| match learnt * class > 0.0 {
        true if class > 0.0 => '#',
        true => '.',
        false => 'x',
    };
    let map: Vec<char> = learnt.iter().zip(&y.value().to_vec()?).map(ink).collect();
    for row in map.chunks(width) {
        println!("{}", row.iter().collect::<String>());
    }
    Ok(())
}
