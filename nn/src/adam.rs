//! The optimisers Adam and AdamW.

use tensor::ops::{self, AdamOptions};
use tensor::{Result, Tensor};

use crate::checkpoint::StateDict;
use crate::group::Group;
use crate::{Error, Parameter};

/// torch.optim.Adam: a running mean of each parameter's gradient and of its square,
///
/// ```text
/// m ← β₁·m + (1 − β₁)·g        v ← β₂·v + (1 − β₂)·g²
/// w ← w − lr · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)        in step t = 1, 2, …
/// ```
///
/// or, of [`decoupled`](AdamOptions::decoupled) weight decay, torch.optim.AdamW.
///
/// The parameters of one [`ParameterStore`](crate::ParameterStore) lie side by side, and so do their
/// gradients: a network's step is one dispatch, not one for each parameter.
///
/// ```
/// use autograd::{Var, l1_loss};
/// use nn::{Adam, AdamOptions, Linear, ParameterStore, parameters};
/// use tensor::{Device, Tensor};
/// # fn main() -> Result<(), tensor::Error> {
/// let device = Device::open(None)?;
/// let layer = Linear::new(&mut ParameterStore::new(&device, 0), 3, 2, true);
/// let mut adam = Adam::new(parameters(&layer), AdamOptions { lr: 0.01, ..Default::default() });
/// let x = Var::constant(Tensor::new(&device, &[1.0, -2.0, 3.0], &[1, 3]));
/// let target = Var::constant(Tensor::new(&device, &[5.0, -5.0], &[1, 2]));
/// l1_loss(&layer.forward(&x), &target).backward();
/// adam.step();
/// // In the first step m/√v is the gradient's sign: to 5 it goes up, to −5 down.
/// let bias = layer.bias.as_ref().expect("asked for").value().to_vec()?;
/// assert!((bias[0] - 0.01).abs() < 1e-6 && (bias[1] + 0.01).abs() < 1e-6);
/// # Ok(()) }
/// ```
pub struct Adam {
    rows: Vec<Rows>,
    options: AdamOptions,
    step: u64,
}

/// Parameters of one block and their moments: rows like the block's.
struct Rows {
    group: Group,
    m: Tensor,
    v: Tensor,
}

impl Rows {
    fn new(group: Group) -> Rows {
        let [m, v] = [0; 2].map(|_| group.row());
        Rows { group, m, v }
    }

    fn moments(&self) -> [(&'static str, &Tensor); 2] {
        [("m", &self.m), ("v", &self.v)]
    }

    fn step(&self, step: u64, options: &AdamOptions) {
        // What has no gradient stays as it is: a dispatch for every stretch between such.
        for stretch in self.group.stretches(|p| p.grad().is_some()) {
            let (values, gradients) = (self.group.values(), self.group.gradients());
            let rows = [&values, &gradients, &self.m, &self.v];
            let [w, g, m, v] = rows.map(|row| ops::slice(row, stretch.clone()));
            ops::adam(&w, &g, &m, &v, step, options);
        }
        self.group.parameters().for_each(|p| p.zero_grad());
    }
}

impl Adam {
    /// Moments 0 for each of `parameters` (see [`crate::parameters`]).
    pub fn new(parameters: Vec<(String, Parameter)>, options: AdamOptions) -> Adam {
        Adam {
            rows: Group::of(parameters).into_iter().map(Rows::new).collect(),
            options,
            step: 0,
        }
    }

    /// Sets the learning rate of the steps to come.
    pub fn set_lr(&mut self, lr: f64) {
        self.options.lr = lr;
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// torch.nn.utils.clip_grad_norm_, between `backward` and [`Adam::step`]: with ‖g‖ the norm of all
    /// gradients together, g ← g·min(1, `max_norm`/(‖g‖ + 1e-6)). Nothing is read back, and the sums run in
    /// a fixed order. Where ‖g‖ is not a number, the gradients stay as they are.
    pub fn clip(&self, max_norm: f64) {
        let gradients = self.rows.iter().flat_map(|Rows { group, .. }| {
            let stretches = group.stretches(|p| p.grad().is_some()).into_iter();
            stretches.map(|stretch| ops::slice(&group.gradients(), stretch))
        });
        let gradients: Vec<Tensor> = gradients.collect();
        let squares = gradients.iter().map(|g| ops::sum(&ops::mul(g, g)));
        let Some(squares) = squares.reduce(|a, b| ops::add(&a, &b)) else {
            return;
        };
        for g in &gradients {
            ops::clip(g, &squares, max_norm as f32);
        }
    }

    /// The gradients' own memory, between `backward` and [`Adam::clip`]: a row for each block of parameters, in
    /// the same order wherever the same network was made. Processes that train together read them with
    /// [`Tensor::to_vecs`], average them and write the averages back with [`Tensor::set`].
    ///
    /// A parameter without a gradient is 0 there, and stays without one: the step leaves it as it is,
    /// whatever is written. So all processes must run the same parts of the network.
    pub fn gradient_rows(&self) -> Vec<Tensor> {
        let row = |Rows { group, .. }: &Rows| {
            let row = group.gradients();
            for stretch in group.stretches(|p| p.grad().is_none()) {
                let zeros = vec![0.0; stretch.len()];
                ops::slice(&row, stretch).set(&zeros);
            }
            row
        };
        self.rows.iter().map(row).collect()
    }

    /// Updates every parameter that has a gradient, in place, and forgets the gradients.
    pub fn step(&mut self) {
        self.step += 1;
        for rows in &self.rows {
            rows.step(self.step, &self.options);
        }
    }

    /// The moments as `m.NAME` and `v.NAME` (in this crate's layouts), the step in the metadata.
    ///
    /// # Errors
    /// The device failed.
    pub fn state_dict(&self) -> Result<StateDict> {
        let all: Vec<_> = self.rows.iter().flat_map(|r| [&r.m, &r.v]).collect();
        let mut all = Tensor::to_vecs(&all)?.into_iter();
        let mut state = StateDict::default();
        for rows in &self.rows {
            for ((kind, _), row) in rows.moments().into_iter().zip(&mut all) {
                rows.group.save(kind, &row, &mut state);
            }
        }
        let step = ("step".to_owned(), self.step.to_string());
        state.metadata = [step].into();
        Ok(state)
    }

    /// Takes up the state that [`Adam::state_dict`] gave; changes nothing unless all of it fits.
    ///
    /// # Errors
    /// A moment is missing or of another shape, or the step is.
    pub fn load_state_dict(&mut self, state: &StateDict) -> std::result::Result<(), Error> {
        let step = state.metadata.get("step").and_then(|s| s.parse().ok());
        let step = step.ok_or(Error::Mismatch(
            "the optimiser's `step` is missing".to_owned(),
        ))?;
        let mut loaded = Vec::new();
        for rows in &self.rows {
            for (kind, tensor) in rows.moments() {
                loaded.push((tensor, rows.group.saved(kind, state)?));
            }
        }
        for (tensor, row) in loaded {
            tensor.set(&row);
        }
        self.step = step;
        Ok(())
    }
}
