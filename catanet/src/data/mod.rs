//! What the network learns from and is judged by.
//!
//! | | |
//! |---|---|
//! | [`Source`] | where training images come from: a folder of photographs, or [`dead_leaves`] scenes made on the fly |
//! | [`Loader`] | an endless stream of [`Batch`]es, prepared by worker threads ahead of the consumer |
//! | [`benchmark`] | sets of image pairs to score |
//!
//! Batch k depends on the seed and k alone: a run may stop after batch k − 1 and go on at k, on any number of threads.

pub mod benchmark;
mod cache;
pub mod dead_leaves;
mod folder;
mod loader;
mod options;
mod rng;
mod sampler;

pub use loader::{Batch, Crops, Loader};
pub use options::LoaderOptions;
pub use sampler::Source;
