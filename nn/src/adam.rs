//! The Adam optimiser.

use std::collections::BTreeMap;

use autograd::Var;
use tensor::ops::{self, AdamOptions};
use tensor::{Result, Tensor};

use crate::Error;
use crate::checkpoint::{Array, Data, StateDict};

/// torch.optim.Adam: a running mean of each parameter's gradient and of its square.
pub struct Adam {
    slots: Vec<Slot>,
    options: AdamOptions,
    step: u64,
}

struct Slot {
    name: String,
    parameter: Var,
    m: Tensor,
    v: Tensor,
}

impl Adam {
    /// Moments 0 for each of `parameters` (see [`crate::parameters`]).
    pub fn new(parameters: Vec<(String, Var)>, options: AdamOptions) -> Adam {
        let slot = |(name, parameter): (String, Var)| {
            let zeros = || Tensor::full(parameter.device(), 0.0, parameter.shape());
            Slot {
                m: zeros(),
                v: zeros(),
                name,
                parameter,
            }
        };
        Adam {
            slots: parameters.into_iter().map(slot).collect(),
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
        for slot in &self.slots {
            if let Some(grad) = slot.parameter.grad() {
                ops::adam(
                    &slot.parameter,
                    &grad,
                    &slot.m,
                    &slot.v,
                    self.step,
                    &self.options,
                );
                slot.parameter.zero_grad();
            }
        }
    }

    /// The moments as `m.NAME` and `v.NAME` (in this crate's layouts), the step in the metadata.
    ///
    /// # Errors
    /// The device failed.
    pub fn state_dict(&self) -> Result<StateDict> {
        let mut arrays = BTreeMap::new();
        for slot in &self.slots {
            for (kind, tensor) in [("m", &slot.m), ("v", &slot.v)] {
                let (shape, data) = (tensor.shape().to_vec(), Data::F32(tensor.to_vec()?));
                arrays.insert(format!("{kind}.{}", slot.name), Array { shape, data });
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
        for slot in &self.slots {
            for (kind, tensor) in [("m", &slot.m), ("v", &slot.v)] {
                let name = format!("{kind}.{}", slot.name);
                match state.arrays.get(&name) {
                    Some(Array {
                        shape,
                        data: Data::F32(values),
                    }) if shape == tensor.shape() => {
                        loaded.push((tensor, values));
                    }
                    Some(other) => {
                        let (got, wanted) = (&other.shape, tensor.shape());
                        let what = format!("`{name}` is {got:?}, not {wanted:?}");
                        return Err(Error::Mismatch(what));
                    }
                    None => return Err(Error::Mismatch(format!("`{name}` is missing"))),
                }
            }
        }
        for (tensor, values) in loaded {
            tensor.copy_from(&Tensor::new(tensor.device(), values, tensor.shape()));
        }
        self.step = step;
        Ok(())
    }
}
