//! What the environment can do wrong, each case as one sentence: what, where, and what to do about it
//! or what would do. (Which option of a command sets it, the command line knows.)

use std::io;
use std::path::{Path, PathBuf};

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no image in a file.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file system gave no bytes.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The database gave no bytes.
    #[error("{0}")]
    Store(String),
    /// The bytes are no picture, or a damaged one.
    #[error(transparent)]
    Picture(#[from] picture::ReadError),
}

/// Everything that can fail for reasons outside the program. (Wrong shapes are programming errors: they panic.)
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that is missing, truncated, corrupt, or no image of a known format.
    #[error("cannot read the image {}: {source}; replace the file or take it out of the folder", path.display())]
    UnreadableImage {
        /// The file.
        path: PathBuf,
        /// What the decoder or the file system said.
        source: Unreadable,
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
    #[error("no images in {} (files named .png, .jpg, .webp, .tif and the like); point to a folder that holds some", path.display())]
    NoImages {
        /// The folder searched.
        path: PathBuf,
    },
    /// A list of images that cannot be read.
    #[error("cannot read the list of images {}: {source}; check the path", path.display())]
    UnreadableList {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A list of images without one.
    #[error("{} lists no image; one name a line is expected", path.display())]
    EmptyList {
        /// The file.
        path: PathBuf,
    },
    /// A template for low-resolution names that leaves out the image's own.
    #[error(
        "the template {template:?} has no {{}} for the image's name; \"{{}}x2\" and \"{{}}\" are usual"
    )]
    WrongTemplate {
        /// The template.
        template: String,
    },
    /// A folder in which no image has its low-resolution file.
    #[error(
        "no low-resolution image in {} is called {template:?}: {wanted:?} is wanted, say, and there is {found:?}; {}",
        folder.display(), with_template(fitting.as_deref())
    )]
    NoPartners {
        /// The folder searched.
        folder: PathBuf,
        /// How its files should be called.
        template: String,
        /// What the first should be called, without extension.
        wanted: String,
        /// What one of those there is called.
        found: String,
        /// A usual template that would fit.
        fitting: Option<String>,
    },
    /// A database of images that cannot be opened.
    #[error("cannot open the LMDB {}: {what}; name a folder with data.mdb and meta_info.txt in it", path.display())]
    UnreadableStore {
        /// The database's folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A database of images, for a library that was built without support for it.
    #[error("cannot open {}: this build reads no LMDB; build it with the feature `lmdb`, or name a folder of images", path.display())]
    NoLmdb {
        /// The database.
        path: PathBuf,
    },
    /// A root folder without a benchmark set in it.
    #[error("no benchmark set in {}; expected NAME/HR/*.png there, or HR/*.png or *.png for a single set", path.display())]
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
    /// Several images that cannot be trained on: a line that counts them, then one for each.
    #[error("{count} faults in {images} images:{}", listed(faults, *count))]
    UnfitImages {
        /// What is wrong; the first of them.
        faults: Vec<Error>,
        /// How many faults there are.
        count: usize,
        /// How many images were looked at.
        images: usize,
    },
    /// A batch that could not be made, of images that were sound when they were looked at.
    #[error("{source} (wanted by batch {number})")]
    BadBatch {
        /// Its number, from 0: the steps done before.
        number: u64,
        /// What is wrong; it names the file.
        source: Box<Error>,
    },
    /// An image that could not be degraded.
    #[error("a crop could not be degraded: {what}")]
    NotDegraded {
        /// What the encoder or decoder said.
        what: String,
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
        "training went astray: the numbers are no longer finite after {iteration} iterations (learning rate {lr:.1e}){place}"
    )]
    Diverged {
        /// The step after which they were not.
        iteration: u64,
        /// Its rate.
        lr: f64,
        /// The layer and the images, as far as they are known: a clause.
        place: String,
    },
    /// Training that ended before its last step.
    #[error("training ended after {iteration} iterations: {source}; {}", saved_state(*saved, folder))]
    TrainingEnded {
        /// Steps done.
        iteration: u64,
        /// The steps of the newest whole state in the folder.
        saved: Option<u64>,
        /// The run's folder.
        folder: PathBuf,
        /// Why.
        source: Box<Error>,
    },
    /// Processes that would train each a network of its own.
    #[error(
        "the processes begin with different steps or weights; give all of them the same files, in a folder that all machines see"
    )]
    UnlikeProcesses,
    /// A run's folder in which another process trains.
    #[error("{} is in use: {} trains there", path.display(), process.map_or("another process".to_owned(), |id| format!("process {id}")))]
    LockedFolder {
        /// The folder.
        path: PathBuf,
        /// The other process's number, where it is known.
        process: Option<u32>,
    },
    /// A folder that a run's files do not fit into.
    #[error("cannot write into {}: {source}; a run needs a folder that may be written to, with {} MB free", path.display(), bytes.div_ceil(1_000_000))]
    UnwritableFolder {
        /// The folder.
        path: PathBuf,
        /// What the run's files take.
        bytes: u64,
        /// What the file system said.
        source: io::Error,
    },
    /// Options that name no images to train on.
    #[error("there is nothing to train: the options have no datasets.train")]
    NothingToTrain,
    /// Too few images to hold some out.
    #[error(
        "{images} images are too few to hold some out and train on the others: {least} are wanted at least"
    )]
    FewImages {
        /// How many there are.
        images: usize,
        /// How many would do.
        least: usize,
    },
    /// A degradation that cannot be understood.
    #[error("cannot degrade images by {text:?}: {fault}")]
    WrongDegrade {
        /// What was asked for.
        text: String,
        /// What is wrong with it.
        fault: String,
    },
    /// Numbers of a recipe that no training has.
    #[error("the recipe's {what} is {value}, where {wanted} is wanted")]
    WrongRecipe {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: String,
        /// What would do.
        wanted: &'static str,
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
    /// An option file that is not followed: a line for each fault, all of the file.
    #[error("{}", faults.join("\n"))]
    WrongOptions {
        /// Each with the file, the line, the key, and what is wanted.
        faults: Vec<String>,
    },
    /// An option file without a text in it.
    #[error("cannot read the option file {}: {source}; check the path", path.display())]
    UnreadableOptions {
        /// The file.
        path: PathBuf,
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
    /// Somebody asked to stop.
    #[error("{name} was not enlarged: it was stopped")]
    Stopped {
        /// The image.
        name: String,
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

/// A line for each fault, and one for those that are not told.
fn listed(faults: &[Error], count: usize) -> String {
    let line = |fault: &Error| format!("\n  {}", fault.to_string().replace('\n', " "));
    let lines: String = faults.iter().map(line).collect();
    match count - faults.len() {
        0 => lines,
        more => format!("{lines}\n  and {more} more"),
    }
}

/// What to do about a template that fits nothing.
fn with_template(fitting: Option<&str>) -> String {
    match fitting {
        Some(template) => format!("the template {template:?} fits"),
        None => "check the folder and the template".to_owned(),
    }
}

/// The batch that would fit, as a clause. Token centres are of all tokens of a batch.
fn fitting(crops: usize) -> String {
    match crops {
        0 => "as one crop is by itself".to_owned(),
        n => format!("as token centres need all of it at once: {n} or fewer fit"),
    }
}

/// What is left of a run that ended early, as a clause.
fn saved_state(saved: Option<u64>, folder: &Path) -> String {
    match saved {
        Some(iteration) => format!("iteration {iteration} is saved in {}", folder.display()),
        None => "nothing was saved yet".to_owned(),
    }
}
