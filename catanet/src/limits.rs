//! What fits an adapter, and how much of the rest is worked on at a time.
//!
//! An adapter binds tensors up to a limit and has so much memory. What is larger than the first is
//! worked on in parts where that gives the same bits (see `bands.rs`), and refused
//! where it does not; both follow from the sizes here.

use std::cell::Cell;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::pin;

use tensor::{Device, ops};

use crate::config::{BLOCKS, DIM, HEADS, MIN_SIDE, MLP, QK};
use crate::error::{Error, Result};
use crate::geometry::{window_rows, window_starts, windows_along};

/// Numbers that attention packs of every token for its kernels: as many as ConvFFN has of it.
const PACKED: usize = HEADS * ops::attention_packed(QK / HEADS, DIM / HEADS);
/// What the widest tensor of a band may take, if the adapter binds as much: enough work to fill a
/// GPU, and so many rows that those around them hardly count.
const BAND_BYTES: u64 = 64 << 20;
/// What attention packs of tokens at a time, if the adapter binds as much: so many that a run of them
/// takes a slow GPU (0.5 TFLOP/s) a fifth of a second. Drivers reset one that is busy for two.
const TOKEN_BYTES: u64 = 256 << 20;
/// Runs of tokens begin at multiples of this: of every sub-group, and where kernels can begin to read.
const RUN_STEP: usize = 256;

/// A part of the network that may be worked on in bands of rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// Convolutions, an output row of which follows from `halo` rows on either side.
    Convolutions { halo: usize, channels: usize },
    /// Attention in windows of this side.
    Windows(usize),
}

impl Part {
    pub const FIRST_CONV: Part = Part::convolutions(1, DIM);
    pub const CONV_FFN: Part = Part::convolutions(2, MLP);
    pub const MID_CONV: Part = Part::convolutions(1, DIM);

    /// The upsampler. An output row follows from at most one row of the last convolution's and one of
    /// the first upconv's on either side, and less than one of all between.
    pub const fn upsampler(scale: usize) -> Part {
        Part::convolutions(2, DIM * scale * scale)
    }

    const fn convolutions(halo: usize, channels: usize) -> Part {
        Part::Convolutions { halo, channels }
    }

    fn all(scale: usize) -> impl Iterator<Item = Part> {
        let windows = BLOCKS.map(|block| Part::Windows(block.window));
        let others = [Part::upsampler(scale), Part::CONV_FFN, Part::MID_CONV];
        others.into_iter().chain(windows)
    }

    /// The input rows that these output rows follow from.
    pub fn reach(self, height: usize, rows: Range<usize>) -> Range<usize> {
        match self {
            Part::Convolutions { halo, .. } => {
                rows.start.saturating_sub(halo)..height.min(rows.end + halo)
            }
            Part::Windows(window) => window_rows(height, window, rows),
        }
    }

    /// The widest tensor on the way, for some input rows of one image of height×width.
    fn widest(self, [height, width]: [usize; 2], rows: Range<usize>) -> [usize; 3] {
        match self {
            Part::Convolutions { channels, .. } => [rows.len(), width, channels],
            Part::Windows(window) => {
                let inside = |top: &usize| rows.start <= *top && top + window <= rows.end;
                let down = window_starts(height, window).filter(inside).count();
                slots_of_windows(window, [down, windows_along(width, window)])
            }
        }
    }

    /// The widest tensor that one output row needs.
    fn least(self, [height, width]: [usize; 2]) -> [usize; 3] {
        match self {
            Part::Convolutions { halo, channels } => [2 * halo + 1, width, channels],
            Part::Windows(window) => {
                let meet = windows_along(height, window).min(3); // the last one is pushed back
                slots_of_windows(window, [meet, windows_along(width, window)])
            }
        }
    }

    /// What the widest tensor takes for some input rows of one image.
    pub fn bytes(self, map: [usize; 2], rows: Range<usize>) -> u64 {
        bytes(&self.widest(map, rows))
    }
}

/// What attention packs of windows, so many down and across: a token has a slot in each of its own.
fn slots_of_windows(window: usize, [down, across]: [usize; 2]) -> [usize; 3] {
    [down * window, across * window, PACKED]
}

fn bytes(shape: &[usize]) -> u64 {
    shape.iter().map(|&n| n as u64).product::<u64>() * 4
}

fn larger(a: [usize; 3], b: [usize; 3]) -> [usize; 3] {
    if bytes(&a) >= bytes(&b) { a } else { b }
}

fn too_large(device: &Device, shape: &[usize], limit: u64) -> tensor::Error {
    tensor::Error::TooLarge {
        shape: shape.to_vec(),
        bytes: bytes(shape),
        limit,
        adapter: device.name().to_owned(),
    }
}

thread_local! {
    /// What this thread's work may take for the widest tensor of a band; see [`within`].
    static BUDGET: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Does `work` with no band's widest tensor above `bytes`: what needs more is done in more bands, with
/// the same bits.
pub(crate) async fn within<T>(bytes: u64, work: impl Future<Output = T>) -> T {
    /// Also where `work` panics.
    struct Before(u64);
    impl Drop for Before {
        fn drop(&mut self) {
            BUDGET.set(self.0);
        }
    }
    let mut work = pin!(work);
    poll_fn(|context| {
        let _before = Before(BUDGET.replace(bytes));
        work.as_mut().poll(context)
    })
    .await
}

/// What the widest tensor of a band may take.
pub(crate) fn band_bytes(device: &Device) -> u64 {
    device.max_tensor_bytes().min(BAND_BYTES).min(BUDGET.get())
}

/// The widest tensor of a band where all work may take `memory` bytes: an eighth. (A band has up to three
/// such tensors at a time, and some of the pool's buffers are larger than what is in them.)
pub(crate) fn band_within(memory: u64) -> u64 {
    (memory / 8).max(1 << 20)
}

/// The bytes of the adapter's memory that a picture takes at the least which is worked on in narrow bands:
/// ten maps of [`DIM`] channels at a time (attention's queries, keys, values and sorted tokens among
/// them, and lists of who attends to whom), and its output with a copy to read back.
pub(crate) fn working_set(scale: usize, [height, width]: [usize; 2]) -> u64 {
    let map = bytes(&[height.max(MIN_SIDE), width.max(MIN_SIDE), DIM]);
    let output = bytes(&[height * scale, width * scale, 3]);
    10 * map + 2 * output
}

/// What attention may pack of all tokens at once.
fn token_bytes(device: &Device) -> u64 {
    device.max_tensor_bytes().min(TOKEN_BYTES).min(BUDGET.get())
}

/// How many images a part can take at once, at least one.
pub(crate) fn images_at_once(device: &Device, part: Part, map: [usize; 2]) -> usize {
    (device.max_tensor_bytes() / part.bytes(map, 0..map[0])).max(1) as usize
}

/// Whether attention can take so many tokens at once.
pub(crate) fn tokens_fit(device: &Device, tokens: usize) -> bool {
    bytes(&[tokens, PACKED]) <= token_bytes(device)
}

/// How many tokens, sorted in sub-groups of `group`, a run has where they do not fit at once.
pub(crate) fn run_length(device: &Device, group: usize) -> usize {
    let most = (token_bytes(device) / bytes(&[PACKED])) as usize;
    // The last run also takes what is too short to be mirrored at its end as all tokens are.
    let most = most.saturating_sub(RUN_STEP + 3 * group);
    (most / RUN_STEP).max(1) * RUN_STEP
}

/// Whether an image of this size can be enlarged. What is large is worked on in parts; but a whole
/// map must fit the adapter's memory, and one row of it, with the rows that it follows from, what a
/// kernel can take.
///
/// # Errors
/// [`tensor::Error::TooLarge`].
pub(crate) fn check_image(
    device: &Device,
    scale: usize,
    height: usize,
    width: usize,
) -> tensor::Result<()> {
    let (height, width) = (height.max(MIN_SIDE), width.max(MIN_SIDE));
    let whole = larger([height, width, DIM], [height * scale, width * scale, 3]);
    let at_once = Part::all(scale)
        .map(|part| part.least([height, width]))
        .fold([0; 3], larger);
    for (shape, limit) in [
        (whole, device.max_memory_bytes()),
        (at_once, device.max_tensor_bytes()),
    ] {
        if bytes(&shape) > limit {
            return Err(too_large(device, &shape, limit));
        }
    }
    Ok(())
}

/// Whether a training step of `batch` crops of side `patch` fits what the adapter binds. Token centres
/// are of all tokens of the batch, so a step's tokens cannot be split as the rest is. (Partial sums of
/// weight gradients are bounded: below 64 MiB, which every adapter binds.)
///
/// # Errors
/// [`Error::SmallPatch`], or [`Error::LargeStep`], which tells the batch that would fit.
pub fn check_step(device: &Device, scale: usize, batch: usize, patch: usize) -> Result<()> {
    if patch < MIN_SIDE {
        return Err(Error::SmallPatch {
            patch,
            needed: MIN_SIDE,
        });
    }
    let crop = Part::all(scale)
        .map(|part| part.widest([patch; 2], 0..patch))
        .fold([0; 3], larger);
    // Sub-groups are filled up.
    let slots = BLOCKS.map(|block| (patch * patch).next_multiple_of(block.group));
    let tokens = slots.into_iter().max().unwrap_or(0);
    let limit = device.max_tensor_bytes();
    let fits = match bytes(&crop) > limit {
        true => 0,
        false => (limit / bytes(&[tokens, PACKED])) as usize,
    };
    if batch <= fits {
        return Ok(());
    }
    let shape = match fits {
        0 if bytes(&crop) > limit => [1, crop[0] * crop[1], crop[2]],
        0 => [1, tokens, PACKED],
        _ => [batch, tokens, PACKED],
    };
    Err(Error::LargeStep {
        batch,
        patch,
        fits,
        source: too_large(device, &shape, limit),
    })
}

/// Slots that tokens of a height×width map have in LRSA's windows.
pub(crate) fn window_slots([height, width]: [usize; 2], window: usize) -> usize {
    let counts = [height, width].map(|side| windows_along(side, window));
    let [rows, columns, _] = slots_of_windows(window, counts);
    rows * columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_of_windows_has_the_slots_of_those_wholly_in_it() {
        let windows = Part::Windows(28);
        assert_eq!(windows.widest([64, 28], 26..64), [2 * 28, 28, PACKED]);
        assert_eq!(windows.reach(64, 28..29), 26..54);
        assert_eq!(windows.widest([64, 28], 0..64), [3 * 28, 28, PACKED]);
        assert_eq!(window_slots([64, 28], 28), 3 * 28 * 28);
    }

    #[test]
    fn no_row_needs_more_than_the_least_that_is_asked_for() {
        for part in Part::all(4) {
            for height in [28, 29, 45, 54, 64, 91] {
                let map = [height, 40];
                let row = |y| part.bytes(map, part.reach(height, y..y + 1));
                let most = (0..height).map(row).max();
                assert!(most <= Some(bytes(&part.least(map))), "{part:?}, {height}");
            }
        }
    }
}
