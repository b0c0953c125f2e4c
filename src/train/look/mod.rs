//! What a training run shows of itself, as plain types that take figures and give text, files and pages.
//!
//! | | |
//! |---|---|
//! | [`lines`] | log lines in BasicSR's form, and the file that they are appended to |
//! | [`events`] | TensorBoard's event files |
//! | [`story`] | what has happened so far: bounded, and kept as JSON in the run's folder |
//! | [`crops`] | its pictures over the course of training |
//! | [`curves`] | lines over steps, as SVG |
//! | [`run_page`] | `report.html`: a story as a page |

mod axis;
pub mod crops;
pub mod curves;
pub mod events;
pub mod lines;
pub mod run_page;
pub mod story;
