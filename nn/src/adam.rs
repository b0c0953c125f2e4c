//! The Adam optimiser.

use std::collections::BTreeMap;
use std::sync::Arc;

use tensor::ops::{self, AdamOptions};
use tensor::{Result, Tensor};

use crate::block::Block;
use crate::checkpoint::{Array, Data, StateDict};
use crate::{Error, Parameter};

/// torch.optim.Adam: a running mean of each parameter's gradient and of its square,
///
/// ```text
/// m ← β₁·m + (1 − β₁)·g        v ← β₂·v + (1 − β₂)·g²
/// w ← w − lr · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)        in step t = 1, 2, …
/// ```
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
    groups: Vec<Group>,
    options: AdamOptions,
    step: u64,
}

/// Parameters of one block, in its order, and their moments: rows like the block's.
struct Group {
    parameters: Vec<(String, Parameter)>,
    block: Arc<Block>,
    m: Tensor,
    v: Tensor,
}

impl Group {
    fn new(block: Arc<Block>, mut parameters: Vec<(String, Parameter)>) -> Group {
        parameters.sort_by_key(|(_, p)| p.position().index);
        parameters.dedup_by_key(|(_, p)| p.position().index); // one may have two names
        let end = parameters.last().map_or(0, |(_, p)| p.position().range.end);
        let [m, v] = [0; 2].map(|_| Tensor::full(block.values.device(), 0.0, &[end]));
        Group {
            parameters,
            block,
            m,
            v,
        }
    }

    fn moments(&self) -> [(&'static str, &Tensor); 2] {
        [("m", &self.m), ("v", &self.v)]
    }

    fn step(&self, step: u64, options: &AdamOptions) {
        let with_gradient = |(_, p): &&(String, Parameter)| p.grad().is_some();
        let parameters: Vec<_> = self.parameters.iter().filter(with_gradient).collect();
        // What has no gradient stays as it is: a dispatch for every stretch between such.
        let side_by_side = |(_, a): &&(String, Parameter), (_, b): &&(String, Parameter)| {
            a.position().index + 1 == b.position().index
        };
        for stretch in parameters.chunk_by(side_by_side) {
            let (first, last) = (&stretch[0].1, &stretch[stretch.len() - 1].1);
            let range = first.position().range.start..last.position().range.end;
            let rows = [&self.block.values, self.block.gradients(), &self.m, &self.v];
            let [w, g, m, v] = rows.map(|row| ops::slice(row, range.clone()));
            ops::adam(&w, &g, &m, &v, step, options);
        }
        self.parameters.iter().for_each(|(_, p)| p.zero_grad());
    }
}

impl Adam {
    /// Moments 0 for each of `parameters` (see [`crate::parameters`]).
    pub fn new(parameters: Vec<(String, Parameter)>, options: AdamOptions) -> Adam {
        let mut blocks: Vec<(Arc<Block>, Vec<_>)> = Vec::new();
        for parameter in parameters {
            let block = parameter.1.block();
            match blocks
                .iter_mut()
                .find(|(known, _)| Arc::ptr_eq(known, block))
            {
                Some((_, of)) => of.push(parameter),
                None => blocks.push((block.clone(), vec![parameter])),
            }
        }
        let groups = blocks.into_iter().map(|(block, of)| Group::new(block, of));
        Adam {
            groups: groups.collect(),
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

    /// Updates every parameter that has a gradient, in place, and forgets the gradients.
    pub fn step(&mut self) {
        self.step += 1;
        for group in &self.groups {
            group.step(self.step, &self.options);
        }
    }

    /// The moments as `m.NAME` and `v.NAME` (in this crate's layouts), the step in the metadata.
    ///
    /// # Errors
    /// The device failed.
    pub fn state_dict(&self) -> Result<StateDict> {
        let rows: Vec<_> = self.groups.iter().flat_map(|g| [&g.m, &g.v]).collect();
        let mut rows = Tensor::to_vecs(&rows)?.into_iter();
        let mut arrays = BTreeMap::new();
        for group in &self.groups {
            for ((kind, _), row) in group.moments().into_iter().zip(&mut rows) {
                for (name, parameter) in &group.parameters {
                    let data = Data::F32(row[parameter.position().range.clone()].to_vec());
                    let shape = parameter.shape().to_vec();
                    arrays.insert(format!("{kind}.{name}"), Array { shape, data });
                }
            }
        }
        Ok(StateDict {
            arrays,
            metadata: [("step".to_owned(), self.step.to_string())].into(),
        })
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
        for group in &self.groups {
            for (kind, tensor) in group.moments() {
                let mut row = vec![0.0; tensor.len()];
                for (name, parameter) in &group.parameters {
                    let values = stored(state, &format!("{kind}.{name}"), parameter.shape())?;
                    row[parameter.position().range.clone()].copy_from_slice(values);
                }
                loaded.push((tensor, row));
            }
        }
        for (tensor, row) in loaded {
            tensor.set(&row);
        }
        self.step = step;
        Ok(())
    }
}

fn stored<'a>(
    state: &'a StateDict,
    name: &str,
    wanted: &[usize],
) -> std::result::Result<&'a [f32], Error> {
    let what = match state.arrays.get(name) {
        Some(Array {
            shape,
            data: Data::F32(values),
        }) if shape == wanted => return Ok(values),
        Some(other) => format!("`{name}` is {:?}, not {wanted:?}", other.shape),
        None => format!("`{name}` is missing"),
    };
    Err(Error::Mismatch(what))
}
