//! Averages of parameters over the steps of training.

use tensor::ops;
use tensor::{Result, Tensor};

use crate::checkpoint::StateDict;
use crate::group::Group;
use crate::{Error, Parameter};

/// The exponential moving average of parameters, e ← decay·e + (1 − decay)·w: weights that vary less from
/// step to step than those trained, and are often better. It begins at the values that the parameters
/// have when it is made. Buffers are not averaged.
///
/// ```
/// use nn::{Ema, Linear, ParameterStore, parameters};
/// use tensor::Device;
/// # fn main() -> Result<(), tensor::Error> {
/// let device = Device::open(None)?;
/// let layer = Linear::new(&mut ParameterStore::new(&device, 0), 1, 1, false);
/// let weight = layer.weight.value();
/// weight.set(&[1.0]);
/// let mut ema = Ema::new(parameters(&layer), 0.75);
/// weight.set(&[5.0]); // a step of training
/// ema.update();
/// ema.swap(); // to validate, or to save
/// assert_eq!(weight.item()?, 0.75 * 1.0 + 0.25 * 5.0);
/// ema.swap();
/// assert_eq!(weight.item()?, 5.0);
/// # Ok(()) }
/// ```
pub struct Ema {
    rows: Vec<(Group, Tensor)>, // and the averages, in a row like the block's
    decay: f64,
    swapped: bool,
}

impl Ema {
    /// Averages of `parameters` (see [`crate::parameters`]), which are what they average now.
    pub fn new(parameters: Vec<(String, Parameter)>, decay: f64) -> Ema {
        let with_averages = |group: Group| {
            let averages = group.row();
            averages.copy_from(&group.values());
            (group, averages)
        };
        let groups = Group::of(parameters).into_iter();
        Ema {
            rows: groups.map(with_averages).collect(),
            decay,
            swapped: false,
        }
    }

    /// Takes the parameters' values into the averages; once after each step.
    ///
    /// # Panics
    /// Between two calls of [`Ema::swap`].
    #[track_caller]
    pub fn update(&self) {
        self.assert_in_place("update");
        self.each_stretch(|w, e| ops::approach(e, w, (1.0 - self.decay) as f32));
    }

    /// Exchanges the parameters' values and the averages, on the device. A second call changes them back.
    pub fn swap(&mut self) {
        self.each_stretch(ops::exchange);
        self.swapped = !self.swapped;
    }

    /// A dispatch for every stretch of a block's parameters: mostly one.
    fn each_stretch(&self, f: impl Fn(&Tensor, &Tensor)) {
        for (group, averages) in &self.rows {
            for stretch in group.stretches(|_| true) {
                let rows = [&group.values(), averages];
                let [w, e] = rows.map(|row| ops::slice(row, stretch.clone()));
                f(&w, &e);
            }
        }
    }

    #[track_caller]
    fn assert_in_place(&self, what: &str) {
        assert!(!self.swapped, "Ema::{what}: the averages are swapped in");
    }

    /// The averages as `ema.NAME`, in this crate's layouts.
    ///
    /// # Errors
    /// The device failed.
    ///
    /// # Panics
    /// Between two calls of [`Ema::swap`].
    #[track_caller]
    pub fn state_dict(&self) -> Result<StateDict> {
        self.assert_in_place("state_dict");
        let averages: Vec<_> = self.rows.iter().map(|(_, averages)| averages).collect();
        let mut state = StateDict::default();
        for ((group, _), row) in self.rows.iter().zip(Tensor::to_vecs(&averages)?) {
            group.save("ema", &row, &mut state);
        }
        Ok(state)
    }

    /// Takes up the state that [`Ema::state_dict`] gave, which may hold more than that; changes nothing
    /// unless all of it fits.
    ///
    /// # Errors
    /// An average is missing or of another shape.
    ///
    /// # Panics
    /// Between two calls of [`Ema::swap`].
    #[track_caller]
    pub fn load_state_dict(&mut self, state: &StateDict) -> std::result::Result<(), Error> {
        self.assert_in_place("load_state_dict");
        let saved = self.rows.iter().map(|(group, _)| group.saved("ema", state));
        let saved = saved.collect::<std::result::Result<Vec<_>, Error>>()?;
        for ((_, averages), row) in self.rows.iter().zip(saved) {
            averages.set(&row);
        }
        Ok(())
    }
}
