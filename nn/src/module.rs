//! Modules: parameters and buffers found by name.

use std::sync::atomic::{AtomicBool, Ordering};

use tensor::Tensor;

use crate::checkpoint::{Array, Data, StateDict};
use crate::{Error, Layout, Parameter};

/// Anything with named state: a layer, or a network of them.
pub trait Module {
    /// Calls `visitor` with every piece of state. `name` is this module's own, "" for the root.
    fn visit(&self, name: &str, visitor: &mut dyn FnMut(String, State));
}

/// A piece of a module's state.
pub enum State<'a> {
    /// Trained by the optimiser.
    Parameter(&'a Parameter),
    /// Kept up by the forward pass.
    Buffer(&'a Tensor),
    /// A switch.
    Flag(&'a AtomicBool),
}

/// `name.child`, or `child` at the root.
pub fn join(name: &str, child: &str) -> String {
    if name.is_empty() {
        child.to_owned()
    } else {
        format!("{name}.{child}")
    }
}

/// All parameters by name, for the optimiser. The order is that of the visit.
pub fn parameters(module: &dyn Module) -> Vec<(String, Parameter)> {
    let mut found = Vec::new();
    module.visit("", &mut |name, state| {
        if let State::Parameter(p) = state {
            found.push((name, p.clone()));
        }
    });
    found
}

/// All state by name, in PyTorch's layouts.
///
/// # Errors
/// The device failed.
pub fn state_dict(module: &dyn Module) -> Result<StateDict, Error> {
    let mut dict = StateDict::default();
    let mut tensors = Vec::new();
    module.visit("", &mut |name, state| match state {
        State::Parameter(p) => tensors.push((name, p.layout(), p.value().clone())),
        State::Buffer(t) => tensors.push((name, Layout::Same, t.clone())),
        State::Flag(f) => {
            let data = Data::Bool(vec![f.load(Ordering::Relaxed)]);
            let shape = vec![];
            dict.arrays.insert(name, Array { shape, data });
        }
    });
    // One wait for all of them.
    let all = Tensor::to_vecs(&tensors.iter().map(|(.., t)| t).collect::<Vec<_>>())?;
    for ((name, layout, tensor), data) in tensors.into_iter().zip(all) {
        let array = Array {
            shape: layout.file_shape(tensor.shape()),
            data: Data::F32(layout.to_file(data, tensor.shape())),
        };
        dict.arrays.insert(name, array);
    }
    Ok(dict)
}

/// Takes up the state of `dict`, which is in PyTorch's layouts. `wanted` chooses by name what is
/// loaded; the rest stays as it is. Nothing changes unless all of it fits.
///
/// # Errors
/// A wanted key is missing, a shape or kind differs, or the dict has a key that the module lacks.
pub fn load_state_dict(
    module: &dyn Module,
    dict: &StateDict,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    let mut problems = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    module.visit("", &mut |name, state| {
        if wanted(&name)
            && let Err(problem) = check(&name, &state, dict)
        {
            problems.push(problem);
        }
        known.insert(name);
    });
    let unknown = dict
        .arrays
        .keys()
        .filter(|k| wanted(k) && !known.contains(*k));
    problems.extend(unknown.map(|k| format!("`{k}` is not part of it")));
    if let Some(first) = problems.first() {
        let others = match problems.len() - 1 {
            0 => String::new(),
            n => format!(" (and {n} more such)"),
        };
        return Err(Error::Mismatch(format!("{first}{others}")));
    }
    module.visit("", &mut |name, state| {
        if !wanted(&name) {
            return;
        }
        let Some(array) = dict.arrays.get(&name) else {
            return;
        };
        match (state, &array.data) {
            (State::Parameter(p), Data::F32(data)) => {
                p.value().set(&p.layout().to_ours(data, p.shape()));
            }
            (State::Buffer(t), Data::F32(data)) => t.set(data),
            (State::Flag(f), Data::Bool(value)) => f.store(value[0], Ordering::Relaxed),
            // safetensors written by tools without a BOOL type
            (State::Flag(f), Data::I64(value)) => f.store(value[0] != 0, Ordering::Relaxed),
            _ => {}
        }
    });
    Ok(())
}

fn check(name: &str, state: &State, dict: &StateDict) -> Result<(), String> {
    let array = dict
        .arrays
        .get(name)
        .ok_or_else(|| format!("`{name}` is missing"))?;
    let shape = match state {
        State::Parameter(p) => p.layout().file_shape(p.shape()),
        State::Buffer(t) => t.shape().to_vec(),
        State::Flag(_) => vec![],
    };
    let same_kind = match state {
        State::Flag(_) => matches!(array.data, Data::Bool(_) | Data::I64(_)),
        _ => matches!(array.data, Data::F32(_)),
    };
    if array.shape != shape {
        return Err(format!(
            "`{name}` has shape {:?}, not {shape:?}",
            array.shape
        ));
    }
    same_kind
        .then_some(())
        .ok_or_else(|| format!("`{name}` holds another kind of number"))
}
