//! What the network learns from and is judged by.
//!
//! | | |
//! |---|---|
//! | [`Source`] | where training images come from: a folder of photographs, or [`dead_leaves`] scenes made on the fly |
//! | [`Paired`] | pairs in two folders, named as option files name them |
//! | [`Loader`] | an endless stream of [`Batch`]es, prepared by worker threads ahead of the consumer |
//! | [`Degrade`] | what makes the low-resolution side worse on the way |
//! | [`benchmark`] | sets of image pairs to score |
//!
//! Batch k depends on the seed and k alone: a run may stop after batch k − 1 and go on at k, on any number of threads.

pub mod benchmark;
mod cache;
mod check;
mod cut;
pub mod dead_leaves;
mod degrade;
mod folder;
#[cfg(feature = "lmdb")]
mod lmdb;
mod loader;
mod options;
mod paired;
mod partners;
mod place;
mod rng;
mod sampler;
mod source;
mod stem;

pub use cut::{Cut, CutDone};
pub use degrade::Degrade;
#[cfg(feature = "lmdb")]
pub use lmdb::{LmdbRecord, Store, lmdb_keys, write_lmdb};
pub use loader::{Batch, Crops, Loader};
pub use options::LoaderOptions;
pub use paired::{Backend, Paired};
pub use place::Place;
pub use sampler::Origin;
pub use source::Source;
