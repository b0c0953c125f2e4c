//! What `upscale` consists of: a plan of who is written where, and the work.

mod guard;
mod mark;
mod names;
pub mod options;
pub mod outcome;
pub mod plan;
mod room;
pub mod work;
