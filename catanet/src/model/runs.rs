//! The token aggregation block of an image with more tokens than a kernel can take at once.

use std::ops::Range;

use autograd::Var;
use tensor::{Tensor, ops};

use super::TAB;
use crate::config::DIM;
use crate::geometry::Geometry;

impl TAB {
    /// [`Self::attend`] in runs of tokens, by the stored centres. What all tokens have a part in is
    /// their order alone. Rows are normalised twice instead of kept. `[1, N, C]` → `[1, N, C]`
    pub(super) fn attend_in_runs(
        &self,
        residual: &Var,
        runs: &[Range<usize>],
        geometry: &Geometry,
    ) -> Var {
        let n = residual.shape()[1];
        let residual = residual.value().reshape(&[n, DIM]);
        let tokens = |rows: Tensor| Var::constant(rows.reshape(&[1, rows.rows(), DIM]));
        let rows = |tokens: Var| tokens.value().reshape(&[tokens.rows(), DIM]);
        let norm = |rows: Tensor| self.norm.forward(&tokens(rows));

        let directions = ops::unit(&self.means);
        let owners = |run: &Range<usize>| {
            let tokens = ops::unit(norm(ops::slice(&residual, run.clone())).value());
            ops::nearest_centre(&tokens, &directions).reshape(&[run.len()])
        };
        let owner = ops::concat(n, runs.iter().map(owners));
        let sorted = ops::counting_sort(&owner.reshape(&[1, n]), self.means.rows());
        let (order, inverse) = (sorted.order.reshape(&[n]), sorted.inverse.reshape(&[n]));

        let centres = Var::constant(self.means.clone());
        let attended = |run: &Range<usize>| {
            // The last sub-group also attends to the first of the next run, which is dropped again.
            let around = run.start..n.min(run.end + self.iasa.group);
            let x = norm(ops::take_rows(&residual, &ops::slice(&order, around)));
            ops::slice(
                &rows(self.attend_sorted(&x, &centres, geometry)),
                0..run.len(),
            )
        };
        let sorted_y = ops::concat(n, runs.iter().map(attended)); // [N, C]

        let projected = |run: &Range<usize>| {
            let y = ops::take_rows(&sorted_y, &ops::slice(&inverse, run.clone()));
            let y = self.iasa.attention.proj.forward(&tokens(y));
            let residual = tokens(ops::slice(&residual, run.clone()));
            rows(self.conv1x1.forward_onto(&y, &residual))
        };
        tokens(ops::concat(n, runs.iter().map(projected)))
    }
}
