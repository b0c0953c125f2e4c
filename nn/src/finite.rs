//! Where numbers are no longer finite.

use std::fmt;

use tensor::Tensor;

use crate::{Module, State};

/// What of a module holds an infinite number, or one that is none (NaN).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFinite {
    /// The parameter or buffer.
    pub name: String,
    /// Whether it is the parameter's gradient, and not its value.
    pub gradient: bool,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let what = if self.gradient { "gradient" } else { "value" };
        write!(f, "the {what} of `{}`", self.name)
    }
}

/// The first parameter or buffer, in the order of the visit, whose value or else gradient (where it has
/// one) is not finite; None if all are. All is read back for one wait.
///
/// # Errors
/// The device failed.
pub fn not_finite(module: &dyn Module) -> tensor::Result<Option<NotFinite>> {
    let mut found = Vec::new();
    module.visit("", &mut |name, state| {
        let (value, gradient) = match state {
            State::Parameter(p) => (p.value().clone(), p.grad()),
            State::Buffer(t) => (t.clone(), None),
            State::Flag(_) => return,
        };
        found.push((name.clone(), false, value));
        found.extend(gradient.map(|gradient| (name, true, gradient)));
    });
    let tensors: Vec<_> = found.iter().map(|(.., t)| t).collect();
    let all = Tensor::to_vecs(&tensors)?;
    let is_finite = |row: &Vec<f32>| row.iter().all(|x| x.is_finite());
    let first = all.iter().position(|row| !is_finite(row));
    Ok(first.map(|i| {
        let (name, gradient, _) = found.swap_remove(i);
        NotFinite { name, gradient }
    }))
}
