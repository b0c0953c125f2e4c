//! What `catanet train` does around the library's loop: from the command line to a plan, weights to start from,
//! and everything that is shown.

mod keep;
pub mod look;
pub(crate) mod plan;
pub(crate) mod start;
pub(crate) mod together;
pub(crate) mod watch;
