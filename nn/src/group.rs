//! Parameters of one block, worked on row by row: what updates them all takes few dispatches.

use std::ops::Range;
use std::sync::Arc;

use tensor::{Tensor, ops};

use crate::block::Block;
use crate::checkpoint::{Array, Data, StateDict};
use crate::{Error, Parameter};

/// Parameters of one block, in its order, each once.
pub(crate) struct Group {
    parameters: Vec<(String, Parameter)>,
    block: Arc<Block>,
}

impl Group {
    /// The groups of `parameters`, in the order in which their blocks first come.
    pub fn of(parameters: Vec<(String, Parameter)>) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for parameter in parameters {
            let block = parameter.1.block().clone();
            match groups.iter_mut().find(|g| Arc::ptr_eq(&g.block, &block)) {
                Some(group) => group.parameters.push(parameter),
                None => groups.push(Group {
                    parameters: vec![parameter],
                    block,
                }),
            }
        }
        for Group { parameters, .. } in &mut groups {
            parameters.sort_by_key(|(_, p)| p.position().index);
            parameters.dedup_by_key(|(_, p)| p.position().index); // one may have two names
        }
        groups
    }

    /// Every parameter, without its name.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().map(|(_, p)| p)
    }

    /// A row of zeros that reaches to the end of the last parameter.
    pub fn row(&self) -> Tensor {
        Tensor::full(self.block.values.device(), 0.0, &[self.end()])
    }

    /// That row of the parameters' values.
    pub fn values(&self) -> Tensor {
        ops::slice(&self.block.values, 0..self.end())
    }

    /// That row of their gradients: anything where there is none, zeros between parameters.
    pub fn gradients(&self) -> Tensor {
        ops::slice(self.block.gradients(), 0..self.end())
    }

    fn end(&self) -> usize {
        let last = self.parameters.last();
        last.map_or(0, |(_, p)| p.position().range.end)
    }

    /// The longest stretches of a row in which all parameters are among those chosen.
    pub fn stretches(&self, chosen: impl Fn(&Parameter) -> bool) -> Vec<Range<usize>> {
        let chosen: Vec<_> = self.parameters().filter(|p| chosen(p)).collect();
        let side_by_side =
            |a: &&Parameter, b: &&Parameter| a.position().index + 1 == b.position().index;
        let range = |stretch: &[&Parameter]| {
            let (first, last) = (stretch[0], stretch[stretch.len() - 1]);
            first.position().range.start..last.position().range.end
        };
        chosen.chunk_by(side_by_side).map(range).collect()
    }

    /// Adds what a row holds for each parameter to a state, as `KIND.NAME` in this crate's layouts.
    pub fn save(&self, kind: &str, row: &[f32], state: &mut StateDict) {
        for (name, parameter) in &self.parameters {
            let data = Data::F32(row[parameter.position().range.clone()].to_vec());
            let shape = parameter.shape().to_vec();
            let array = Array { shape, data };
            state.arrays.insert(format!("{kind}.{name}"), array);
        }
    }

    /// The row that was saved; 0 between parameters.
    ///
    /// # Errors
    /// A part of it is missing or of another shape.
    pub fn saved(&self, kind: &str, state: &StateDict) -> Result<Vec<f32>, Error> {
        let mut row = vec![0.0; self.end()];
        for (name, parameter) in &self.parameters {
            let values = stored(state, &format!("{kind}.{name}"), parameter.shape())?;
            row[parameter.position().range.clone()].copy_from_slice(values);
        }
        Ok(row)
    }
}

fn stored<'a>(state: &'a StateDict, name: &str, wanted: &[usize]) -> Result<&'a [f32], Error> {
    let what = match state.arrays.get(name) {
        Some(Array {
            shape,
            data: Data::F32(values),
        }) if shape == wanted => return Ok(values),
        Some(other) => format!("`{name}` is {:?}, not {wanted:?}", other.shape),
        None => format!("`{name}` is missing"),
    };
    Err(Error::Mismatch(what))
}
