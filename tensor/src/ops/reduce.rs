//! Sums in a fixed order.

use std::ops::Range;

use crate::Tensor;
use crate::kernel::launch::Launch;
use crate::kernel::tiles::vec_width;

const CHUNK: usize = 32; // rows added up by one invocation

/// Runs a kernel of reduce.wgsl on these columns of x.
fn run(entry: &'static str, (x, columns): (&Tensor, &Range<usize>), y: &Tensor, add: bool) {
    let (target, stride) = (y.device().target(), x.channels());
    let vec = [stride, columns.start, columns.end].map(|n| vec_width(target, n));
    let vec = vec.into_iter().min().unwrap_or(1);
    let count = y.len() / vec;
    Launch::new("plain/reduce", entry)
        .input(x)
        .output(y)
        .constants(&[("VEC", vec), ("CHUNK", CHUNK), ("ADD", usize::from(add))])
        .params(&[count, x.rows(), columns.len() / vec])
        .params(&[stride / vec, columns.start / vec])
        .each(count)
        .run();
}

/// The sum over all rows: `[.., C]` → `[C]`.
pub fn sum_rows(x: &Tensor) -> Tensor {
    RowSum::new(x.clone(), &[x.channels()]).total()
}

/// A sum over rows that is still to be taken: what the kernel of a weight's gradient leaves. It goes
/// into a new tensor, or straight to where a parameter's gradient is collected.
pub struct RowSum {
    rows: Tensor, // [.., stride]
    columns: Range<usize>,
    shape: Vec<usize>, // of the sum
}

/// A sum of one row.
impl From<Tensor> for RowSum {
    fn from(x: Tensor) -> RowSum {
        RowSum::new(x.reshape(&[1, x.len()]), x.shape())
    }
}

impl RowSum {
    pub(crate) fn new(rows: Tensor, shape: &[usize]) -> RowSum {
        let columns = 0..rows.channels();
        RowSum::of_columns(rows, columns, shape)
    }

    pub(crate) fn of_columns(rows: Tensor, columns: Range<usize>, shape: &[usize]) -> RowSum {
        debug_assert_eq!(columns.len(), shape.iter().product());
        RowSum {
            rows,
            columns,
            shape: shape.to_vec(),
        }
    }

    /// The sum, as a tensor of its own.
    pub fn total(self) -> Tensor {
        let all = self.columns.len() == self.rows.channels();
        if all && self.rows.rows() == 1 {
            return self.rows.reshape(&self.shape);
        }
        let y = Tensor::uninit(self.rows.device(), &self.shape);
        self.write(&y, false);
        y
    }

    /// Writes the sum into `target`, or adds it to what is there.
    ///
    /// # Panics
    /// If it has not as many elements.
    #[track_caller]
    pub fn write(self, target: &Tensor, add: bool) {
        assert_eq!(
            target.len(),
            self.columns.len(),
            "RowSum::write: a sum of shape {:?}",
            self.shape
        );
        let (x, columns) = few_rows(self.rows, self.columns);
        run("sum_rows", (&x, &columns), target, add);
    }
}

/// Sums of rows of these columns: no more rows than one stage adds up.
pub(super) fn few_rows(mut x: Tensor, mut columns: Range<usize>) -> (Tensor, Range<usize>) {
    while x.rows() > CHUNK {
        let chunks = x.rows().div_ceil(CHUNK);
        let y = Tensor::uninit(x.device(), &[chunks, columns.len()]);
        run("sum_rows", (&x, &columns), &y, false);
        (x, columns) = (y, 0..columns.len());
    }
    (x, columns)
}

/// A row repeated: `[.., C]` of one row → [rows, C]. The derivative of [`sum_rows`].
#[track_caller]
pub fn broadcast_rows(x: &Tensor, rows: usize) -> Tensor {
    assert_eq!(
        x.rows(),
        1,
        "broadcast_rows: {:?} has several rows",
        x.shape()
    );
    let columns = x.channels();
    let y = Tensor::uninit(x.device(), &[rows, columns]);
    run("broadcast_rows", (x, &(0..columns)), &y, false);
    y
}

/// The sum of all elements: `[..]` → `[1]`.
pub fn sum(x: &Tensor) -> Tensor {
    sum_rows(&x.reshape(&[x.len(), 1]))
}
