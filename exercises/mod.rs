//! The exercises: each is a hole to fill in, a check that says what is wrong, and a solution.
//!
//! `examples/exercise.rs` runs a check, `tests/exercises.rs` shows that every hole fails its check and every
//! solution passes. To add one: a file in each of `holes/`, `solutions/` and `checks/`, and two lines in
//! `checks/mod.rs`. Where a kernel is asked for, hole and solution are WGSL texts.

mod checks;
mod compare;
mod gpu;

pub use checks::EXERCISES;

/// What a check found.
pub enum Verdict {
    Right,
    /// A hint, with the numbers that were found and those that were expected.
    Wrong(String),
}

/// Whose code is checked.
#[derive(Clone, Copy)]
pub enum Side {
    Hole,
    Solution,
}

impl Side {
    /// One of two functions, texts or names.
    pub fn of<T>(self, hole: T, solution: T) -> T {
        match self {
            Side::Hole => hole,
            Side::Solution => solution,
        }
    }

    /// The folder with the files to fill in, or that with the solutions.
    pub fn folder(self) -> &'static str {
        self.of("exercises/holes", "exercises/solutions")
    }
}

/// An exercise. Its number is its place in [`EXERCISES`], from 1 on.
pub struct Exercise {
    /// In both folders.
    pub file: &'static str,
    /// Of the book.
    pub chapter: usize,
    /// How hard: 1 takes a line that the chapter has, 2 a thought of one's own, 3 several.
    pub stars: usize,
    pub task: &'static str,
    /// An error is what the environment does wrong (no adapter, say), or a kernel that does not compile.
    pub check: fn(Side) -> anyhow::Result<Verdict>,
}
