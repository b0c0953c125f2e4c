//! Layers, the optimiser, schedules and checkpoints. Names follow PyTorch's, so that a
//! `state_dict` maps key by key.
//!
//! A layer is a struct of parameters and a `forward` that reads like its formula. What has
//! parameters is a [`Module`]: it calls a visitor with every piece of its state and its name, and
//! on that one method stand [`parameters`], [`state_dict`] and [`load_state_dict`].
//!
//! ```
//! use autograd::{Var, l1_loss};
//! use nn::{Adam, AdamOptions, Linear, ParameterStore, parameters};
//! use tensor::{Device, Tensor};
//! # fn main() -> Result<(), tensor::Error> {
//! let device = Device::open(None)?;
//! let layer = Linear::new(&mut ParameterStore::new(&device, 0), 2, 1, true);
//! let options = AdamOptions { lr: 0.05, ..Default::default() };
//! let mut adam = Adam::new(parameters(&layer), options);
//! let x = Var::constant(Tensor::new(&device, &[0., 0., 0., 1., 1., 0., 1., 1.], &[4, 2]));
//! let target = Var::constant(Tensor::new(&device, &[1., 3., 0., 2.], &[4, 1])); // 1 − x₀ + 2·x₁
//! for _ in 0..200 {
//!     l1_loss(&layer.forward(&x), &target).backward();
//!     adam.step();
//! }
//! assert!(l1_loss(&layer.forward(&x), &target).item()? < 0.1);
//! # Ok(()) }
//! ```

mod adam;
mod attention;
mod block;
pub mod checkpoint;
mod conv;
mod ema;
mod error;
mod finite;
mod group;
mod linear;
mod module;
mod norm;
mod parameter;
pub mod rng;
mod schedule;
mod store;

pub use adam::Adam;
pub use attention::{Attention, attend};
pub use conv::{Conv2d, DepthwiseConv2d};
pub use ema::Ema;
pub use error::Error;
pub use finite::{NotFinite, not_finite};
pub use linear::Linear;
pub use module::{Module, State, join, load_state_dict, parameters, state_dict};
pub use norm::LayerNorm;
pub use parameter::{Layout, Parameter};
pub use schedule::Schedule;
pub use store::ParameterStore;
pub use tensor::ops::AdamOptions;

/// The mean distance of a prediction from its target: `mean |a − b|`, one number.
///
/// ```
/// use autograd::Var;
/// use tensor::{Device, Tensor};
/// # fn main() -> Result<(), tensor::Error> {
/// let device = Device::open(None)?;
/// let prediction = Var::parameter(Tensor::new(&device, &[1.0, 5.0, 2.0, 2.0], &[4]));
/// let target = Var::constant(Tensor::new(&device, &[1.5, 2.0, 2.0, 2.5], &[4]));
/// let loss = nn::l1_loss(&prediction, &target);
/// assert_eq!(loss.item()?, (0.5 + 3.0 + 0.0 + 0.5) / 4.0);
/// loss.backward();
/// let slopes = prediction.grad().expect("it was used").to_vec()?;
/// assert_eq!(slopes, [-0.25, 0.25, 0.0, -0.25]); // towards the target, whatever the distance
/// # Ok(()) }
/// ```
pub use autograd::l1_loss;

/// The mean square of a prediction's distance from its target: `mean (a − b)²`, one number.
///
/// ```
/// use autograd::Var;
/// use tensor::{Device, Tensor};
/// # fn main() -> Result<(), tensor::Error> {
/// let device = Device::open(None)?;
/// let prediction = Var::parameter(Tensor::new(&device, &[1.0, 5.0, 2.0, 2.0], &[4]));
/// let target = Var::constant(Tensor::new(&device, &[1.5, 2.0, 2.0, 2.5], &[4]));
/// let loss = nn::mse_loss(&prediction, &target);
/// assert_eq!(loss.item()?, (0.25 + 9.0 + 0.0 + 0.25) / 4.0);
/// loss.backward();
/// let slopes = prediction.grad().expect("it was used").to_vec()?;
/// assert_eq!(slopes, [-0.25, 1.5, 0.0, -0.25]); // the steeper, the further off
/// # Ok(()) }
/// ```
pub use autograd::mse_loss;

/// The mean distance, rounded off where it is small: `mean √((a − b)² + eps)`, one number (Charbonnier's
/// loss; Lai et al. 2017). BasicSR's eps is 1e-12: the distance, but with a slope where a = b.
///
/// ```
/// use autograd::Var;
/// use tensor::{Device, Tensor};
/// # fn main() -> Result<(), tensor::Error> {
/// let device = Device::open(None)?;
/// let prediction = Var::constant(Tensor::new(&device, &[1.0, 5.0], &[2]));
/// let target = Var::constant(Tensor::new(&device, &[1.0, 8.0], &[2]));
/// let loss = nn::charbonnier_loss(&prediction, &target, 16.0).item()?;
/// assert!((loss - (4.0 + 5.0) / 2.0).abs() < 1e-6); // √(0 + 16), √(9 + 16)
/// # Ok(()) }
/// ```
pub use autograd::charbonnier_loss;
