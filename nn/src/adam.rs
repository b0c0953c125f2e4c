//! The Adam optimiser.

use std::collections::BTreeMap;

use autograd::Var;
use tensor::ops::{self, AdamOptions};
use tensor::{Result, Tensor};

use crate::Error;
use crate::checkpoint::{Array, Data, StateDict};
use crate::init::ALIGN;

/// torch.optim.Adam: a running mean of each parameter's gradient and of its square.
///
/// Parameters that lie side by side, as those of one [`Init`](crate::Init) do, are updated at once:
/// a network's step is one dispatch or two, not one for each parameter.
pub struct Adam {
    runs: Vec<Run>,
    options: AdamOptions,
    step: u64,
}

/// Parameters side by side, as one row of numbers, and what belongs to each number.
struct Run {
    w: Tensor, // [L], as all of these; what lies between two parameters stays 0
    g: Tensor,
    m: Tensor,
    v: Tensor,
    slots: Vec<Slot>,
}

/// A parameter's place in the row.
struct Slot {
    name: String,
    parameter: Var,
    start: usize,
}

impl Slot {
    fn end(&self) -> usize {
        self.start + self.parameter.len()
    }
}

impl Run {
    fn new(parameters: &[(String, Var)]) -> Run {
        let (first, last) = (&parameters[0].1, &parameters[parameters.len() - 1].1);
        let w = first.through(last);
        let zeros = || Tensor::full(w.device(), 0.0, w.shape());
        let slot = |(name, parameter): &(String, Var)| Slot {
            name: name.clone(),
            parameter: parameter.clone(),
            start: parameter.place().1 - first.place().1,
        };
        Run {
            slots: parameters.iter().map(slot).collect(),
            g: zeros(),
            m: zeros(),
            v: zeros(),
            w,
        }
    }

    fn moments(&self) -> [(&'static str, &Tensor); 2] {
        [("m", &self.m), ("v", &self.v)]
    }

    fn step(&self, step: u64, options: &AdamOptions) {
        let taken = |slot: &Slot| {
            let grad = slot.parameter.grad()?;
            let place = ops::slice(&self.g, slot.start..slot.end());
            place.reshape(slot.parameter.shape()).copy_from(&grad);
            slot.parameter.zero_grad();
            Some((slot.start, slot.end()))
        };
        let taken: Vec<_> = self.slots.iter().map(taken).collect();
        // Those without a gradient stay as they are: a dispatch for every stretch between them.
        for stretch in taken.split(Option::is_none) {
            if let (Some(Some((start, _))), Some(Some((_, end)))) =
                (stretch.first(), stretch.last())
            {
                let [w, g, m, v] =
                    [&self.w, &self.g, &self.m, &self.v].map(|t| ops::slice(t, *start..*end));
                ops::adam(&w, &g, &m, &v, step, options);
            }
        }
    }
}

impl Adam {
    /// Moments 0 for each of `parameters` (see [`crate::parameters`]).
    pub fn new(mut parameters: Vec<(String, Var)>, options: AdamOptions) -> Adam {
        parameters.sort_by_key(|(_, p)| p.place());
        let side_by_side = |(_, a): &(String, Var), (_, b): &(String, Var)| {
            let (memory, start) = a.place();
            (memory, start + a.len().next_multiple_of(ALIGN)) == b.place()
        };
        Adam {
            runs: parameters.chunk_by(side_by_side).map(Run::new).collect(),
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
        for run in &self.runs {
            run.step(self.step, &self.options);
        }
    }

    /// The moments as `m.NAME` and `v.NAME` (in this crate's layouts), the step in the metadata.
    ///
    /// # Errors
    /// The device failed.
    pub fn state_dict(&self) -> Result<StateDict> {
        let rows: Vec<_> = self.runs.iter().flat_map(|r| [&r.m, &r.v]).collect();
        let mut rows = Tensor::to_vecs(&rows)?.into_iter();
        let mut arrays = BTreeMap::new();
        for run in &self.runs {
            for ((kind, _), row) in run.moments().into_iter().zip(&mut rows) {
                for slot in &run.slots {
                    let data = Data::F32(row[slot.start..slot.end()].to_vec());
                    let shape = slot.parameter.shape().to_vec();
                    arrays.insert(format!("{kind}.{}", slot.name), Array { shape, data });
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
        for run in &self.runs {
            for (kind, tensor) in run.moments() {
                let mut row = vec![0.0; tensor.len()];
                for slot in &run.slots {
                    let name = format!("{kind}.{}", slot.name);
                    let values = stored(state, &name, slot.parameter.shape())?;
                    row[slot.start..slot.end()].copy_from_slice(values);
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
