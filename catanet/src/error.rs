//! What the environment can do wrong, each case as one sentence: what, where, and what to do about it
//! or what would do. (Which option of a command sets it, the command line knows.)

use std::io;
use std::path::PathBuf;

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can fail for reasons outside the program. (Wrong shapes are programming errors: they panic.)
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that is missing, truncated, corrupt, or no image of a known format.
    #[error("cannot read the image {}: {source}; replace the file or take it out of the folder", path.display())]
    UnreadableImage {
        /// The file.
        path: PathBuf,
        /// What the decoder or the file system said.
        source: ::image::ImageError,
    },
    /// An image that could not be written; nothing is left at `path` but what was there before.
    #[error("cannot write {}: {source}; check that its folder exists, may be written to and has space left", path.display())]
    UnwritableFile {
        /// The file that was to be written.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A folder that does not exist or cannot be listed.
    #[error("cannot open the folder {}: {source}; check the path", path.display())]
    UnreadableFolder {
        /// The folder.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A folder with nothing to work on.
    #[error("no images in {} ({} are looked for); point to a folder that holds some", path.display(), extensions.join(", "))]
    NoImages {
        /// The folder searched.
        path: PathBuf,
        /// How the names of images end.
        extensions: &'static [&'static str],
    },
    /// A root folder without a benchmark set in it.
    #[error("no benchmark set in {}; expected NAME/HR/*.png there, or HR/*.png for a single set", path.display())]
    NoSets {
        /// The folder searched.
        path: PathBuf,
    },
    /// A set asked for by a name that nothing has.
    #[error("there is no set called {name:?}; there is: {available}")]
    UnknownSet {
        /// The name asked for.
        name: String,
        /// The names there are, comma-separated.
        available: String,
    },
    /// A low-resolution file that is not the high-resolution one divided by the scale.
    #[error(
        "{} is {}×{}, but {} at scale {scale} asks for {}×{}; remove the low-resolution file (it is then made on the fly) or replace it",
        lr.display(), lr_size.0, lr_size.1, hr.display(), expected.0, expected.1
    )]
    MismatchedPair {
        /// The high-resolution file.
        hr: PathBuf,
        /// The low-resolution file.
        lr: PathBuf,
        /// Width and height found.
        lr_size: (usize, usize),
        /// Width and height wanted: ⌊HR / scale⌋.
        expected: (usize, usize),
        /// The scale of the pair.
        scale: usize,
    },
    /// An image too small for what is to be done with it.
    #[error("{} is {}×{}, smaller than {needed}×{needed}, {what}; take it out, or use a smaller crop or scale", path.display(), size.0, size.1)]
    TooSmall {
        /// The file.
        path: PathBuf,
        /// Its width and height.
        size: (usize, usize),
        /// The least side.
        needed: usize,
        /// What the side is needed for.
        what: &'static str,
    },
    /// A folder to go on from in which no run was saved.
    #[error("no run to resume: there is no {}", path.display())]
    NoRun {
        /// Where it would be.
        path: PathBuf,
    },
    /// A saved run of another scale or another network.
    #[error("cannot go on from {}: {source}", path.display())]
    WrongRun {
        /// The saved run.
        path: PathBuf,
        /// What does not fit.
        source: nn::Error,
    },
    /// A training crop that the network's windows do not fit in.
    #[error("a crop of {patch}×{patch} is too small: the network's windows need {needed}")]
    SmallPatch {
        /// The side asked for.
        patch: usize,
        /// The least side.
        needed: usize,
    },
    /// A training step too large for the adapter.
    #[error("a step of {batch} crops of {patch}×{patch} is too large, {}: {source}", fitting(*fits))]
    LargeStep {
        /// Crops asked for.
        batch: usize,
        /// Their side.
        patch: usize,
        /// How many of them would fit; perhaps none.
        fits: usize,
        /// The largest tensor, and what the adapter binds.
        source: tensor::Error,
    },
    /// A training run that gets no more batches.
    #[error("training images ended after {iteration} of {iterations} iterations")]
    LoaderEnded {
        /// Steps done.
        iteration: u64,
        /// Steps wanted.
        iterations: u64,
    },
    /// Training that went astray.
    #[error(
        "training went astray: the numbers are no longer finite after {iteration} iterations (learning rate {lr:.1e})"
    )]
    Diverged {
        /// Steps done.
        iteration: u64,
        /// The rate of the last.
        lr: f64,
        /// Whether there is a saved state to go on from.
        saved: bool,
    },
    /// An earlier run that could not make room.
    #[error("cannot keep the earlier run, moving {} to {}: {source}", from.display(), to.display())]
    NotSetAside {
        /// Where it was.
        from: PathBuf,
        /// Where it was to be kept.
        to: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// Weights of another network than CATANet, or incomplete ones.
    #[error("{}: {source}; name a file of CATANet weights", path.display())]
    WrongWeights {
        /// The file.
        path: PathBuf,
        /// What does not fit; it names the array.
        source: nn::Error,
    },
    /// Weights of another scale than the one asked for.
    #[error("{} holds weights for ×{found}, not ×{wanted}", path.display())]
    WrongScale {
        /// The file.
        path: PathBuf,
        /// Its scale.
        found: usize,
        /// The scale asked for.
        wanted: usize,
    },
    /// An image that the device could not enlarge.
    #[error("{name} was not enlarged: {source}")]
    NotEnlarged {
        /// The image.
        name: String,
        /// What the device said.
        source: tensor::Error,
    },
    /// Weights that turn an image into something that is none.
    #[error("the network's output for {name} is NaN or infinite: its weights are broken")]
    NotFinite {
        /// The image.
        name: String,
    },
    /// Weights that do not load or fit, or a device that failed.
    #[error(transparent)]
    Network(#[from] nn::Error),
}

/// The batch that would fit, as a clause. Token centres are of all tokens of a batch.
fn fitting(crops: usize) -> String {
    match crops {
        0 => "as one crop is by itself".to_owned(),
        n => format!("as token centres need all of it at once: {n} or fewer fit"),
    }
}
