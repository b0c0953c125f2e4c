//! CATANet (CVPR 2025): content-aware token aggregation for image super-resolution.

pub mod attribution;
mod bands;
pub mod config;
pub mod data;
pub mod enlarge;
pub mod error;
pub mod evaluate;
mod geometry;
pub mod image;
pub mod imresize;
pub mod limits;
pub mod metrics;
mod model;
pub mod multi_adds;
pub mod options;
pub mod train;
pub mod weights;

pub use config::MIN_SIDE;
pub use error::{Error, Result};
pub use model::{CATANet, LeftOut, Mode, look};
