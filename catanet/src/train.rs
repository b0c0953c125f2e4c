//! The training loop: forward, loss, backward, a step; validation and saving on the way.
//!
//! What a run leaves behind, and where, is in [`RunFolder`]. Files are replaced whole, never half-written.
//! A run ends in one place, [`train`]: whatever ended it, what is done is saved unless its numbers are
//! bad, and the error says which state is whole.

use std::time::Instant;

mod astray;
mod folder;
mod pace;
mod plan;
mod processes;
mod recipe;
mod run;
mod validate;

pub use folder::{RunFolder, archive, best_file, states, weights_file};
pub use pace::Report;
pub use plan::{HELD_OUT, SEED};
pub use processes::Processes;
pub use recipe::{Optimiser, Recipe, cosine_schedule, paper_schedule};
pub use run::Run;
pub use validate::{Validate, Validation};

use crate::data::{Loader, LoaderOptions};
use crate::error::{Error, Result};
use crate::evaluate;
use crate::limits::check_step;
use crate::options::{OnNan, SaveEvery};
use pace::Pace;

/// How often a run goes back to its last state before it gives up.
const ROLLBACKS: u32 = 3;

/// What to train, and what to leave behind.
#[derive(Clone)]
pub struct TrainOptions {
    /// What the run's numbers follow from.
    pub recipe: Recipe,
    /// Steps between two reports; only then, to validate and to save, is anything read back.
    pub report_every: u64,
    /// How often the state is saved, after whichever step; it is at the end in any case.
    pub save_every: SaveEvery,
    /// Steps between two files of weights that are kept; None: only the newest and the best are.
    pub keep_every: Option<u64>,
    /// How many of the kept ones there are at most; None: all.
    pub keep: Option<usize>,
    /// Whether PyTorch's files are written beside.
    pub pth: bool,
    /// What is validated on the way; None: nothing.
    pub validate: Option<Validate>,
    /// What to do about numbers that are none.
    pub on_nan: OnNan,
    /// Threads that read and cut images; None: as many as there are to spare. They change no bit.
    pub workers: Option<usize>,
    /// Bytes of decoded images to keep (see [`LoaderOptions`]).
    pub cache_bytes: usize,
    /// Notes that travel with the weights (what they were trained on, say).
    pub notes: Vec<(String, String)>,
    /// The processes that share each batch.
    pub processes: Processes,
    /// Asked after each step: whether the run is to be saved and left.
    pub stop: fn() -> bool,
}

impl TrainOptions {
    /// The customary options of a recipe: a report every 100 steps, a state every minute, no validation.
    pub fn new(recipe: Recipe) -> TrainOptions {
        TrainOptions {
            recipe,
            report_every: 100,
            save_every: SaveEvery::Seconds(60.0),
            keep_every: None,
            keep: None,
            pth: false,
            validate: None,
            on_nan: OnNan::Stop,
            workers: None,
            cache_bytes: LoaderOptions::CACHE_BYTES,
            notes: Vec::new(),
            processes: Processes::alone(),
            stop: || false,
        }
    }
}

/// What [`train`] tells while it works.
#[derive(Debug)]
pub enum Event<'a> {
    /// Before the first step, so many images are decoded and found well, of how many.
    Decoded(usize, usize),
    /// All is ready: the folder holds a whole state, and the first step follows.
    Begun,
    /// How far the run is.
    Report(Report),
    /// An image is validated, or cannot be: the steps done, the set's name, and how it went.
    Validating(u64, &'a str, &'a evaluate::Event<'a>),
    /// All sets are.
    Validated(Validation),
    /// The state after so many steps is saved.
    Saved(u64),
    /// Something that a user should know, in a sentence.
    Note(String),
}

/// How a run ended that nothing went wrong in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All steps are done.
    Done,
    /// It was asked to stop.
    Stopped,
}

/// Trains `run` up to the recipe's iterations in `folder`, telling `observe` of it, and saves it.
///
/// The same recipe gives the same bits, in one sitting or several, with or without validation.
///
/// # Errors
/// A step that does not fit the adapter, images that cannot be read, a folder in use or too small, before
/// anything is done. After that [`Error::TrainingEnded`], with the state that is whole.
pub fn train(
    run: &mut Run,
    folder: &mut RunFolder,
    options: &TrainOptions,
    observe: &mut impl FnMut(Event),
) -> Result<End> {
    let recipe = &options.recipe;
    recipe.check()?;
    check_step(run.net.device(), recipe.scale, recipe.share(), recipe.patch)?;
    let processes = &options.processes;
    let mut batches = loader(options, processes, run.iteration())?;
    let decoded = batches.decode_all(&mut |done, all| {
        observe(Event::Decoded(done, all));
        !(options.stop)()
    })?;
    if !decoded {
        let note = "the images are too many to be decoded before the first step; only their headers were looked at";
        observe(Event::Note(note.to_owned()));
    }
    // And all have read what may be moved aside now.
    processes.check_alike(run.iteration(), &run.net)?;
    folder.prepare(run.is_of(folder.path()), run.bytes())?;
    if !run.is_of(folder.path()) {
        run.save(folder, options)?; // from here on there is a whole state
    }
    observe(Event::Begun);
    loop {
        let outcome = steps(run, &mut batches, folder, options, observe);
        let error = match outcome {
            // The last step is saved already.
            Ok(End::Done) => return Ok(End::Done),
            Ok(End::Stopped) => match run.save(folder, options) {
                Ok(()) => return Ok(End::Stopped),
                Err(error) => error,
            },
            Err(error) => run.explained(error, options, folder),
        };
        let diverged = matches!(error, Error::Diverged { .. });
        let again = diverged && options.on_nan == OnNan::Rollback && processes.count() == 1;
        if again && run.progress().rollbacks < ROLLBACKS && run.saved().is_some() {
            observe(Event::Note(run.roll_back(&error)?));
            batches = loader(options, processes, run.iteration())?;
            continue;
        }
        // Bad numbers replace no good ones; of a device that is lost nothing can be read.
        if !diverged && run.saved() != Some(run.iteration()) {
            let _ = run.save(folder, options); // the error that is told says what is whole
        }
        return Err(Error::TrainingEnded {
            iteration: run.iteration(),
            saved: run.saved(),
            folder: folder.path().to_owned(),
            source: Box::new(error),
        });
    }
}

/// The loop.
fn steps(
    run: &mut Run,
    batches: &mut Loader,
    folder: &RunFolder,
    options: &TrainOptions,
    observe: &mut impl FnMut(Event),
) -> Result<End> {
    let recipe = &options.recipe;
    let due = |every: Option<u64>, step: u64| every.is_some_and(|n| step.is_multiple_of(n));
    let mut pace = Pace::new(run.iteration(), recipe.batch);
    let mut saved = (Instant::now(), run.iteration());
    let every = options
        .validate
        .as_ref()
        .and_then(|validate| validate.every);
    if run.iteration() == 0 && options.validate.as_ref().is_some_and(|v| v.at_start) {
        validate(run, &mut pace, folder, options, observe)?;
    }
    while run.iteration() < recipe.iterations {
        let waiting = Instant::now();
        let batch = batches.next().ok_or(Error::LoaderEnded {
            iteration: run.iteration(),
            iterations: recipe.iterations,
        })??;
        let waited = waiting.elapsed();
        let lr = run.lr(recipe);
        options.processes.ask((options.stop)());
        let loss = run.step(&batch, recipe, &options.processes)?;
        pace.step(run, recipe, loss, waited, batch.origins)?;

        let step = run.iteration();
        let last = step == recipe.iterations;
        if last || due(Some(options.report_every), step) {
            let report = pace.report(run, recipe, lr)?;
            observe(Event::Report(report));
        }
        if due(options.keep_every, step) {
            run.save_weights(folder, options, false)?;
            folder.thin_weights(options.keep.unwrap_or(usize::MAX));
        }
        let validates = options.validate.is_some() && (last || due(every, step));
        let save = match options.save_every {
            SaveEvery::Steps(steps) => step - saved.1 >= steps,
            SaveEvery::Seconds(seconds) => saved.0.elapsed().as_secs_f64() >= seconds,
        };
        // Before a validation, which may take long: what is done is safe meanwhile.
        if last || save || validates {
            // The loss is of before the update: what is saved is looked at itself.
            let saving = Instant::now();
            run.save(folder, options)?;
            saved = (Instant::now(), step);
            pace.saved(saving.elapsed());
            observe(Event::Saved(step));
        }
        if validates && validate(run, &mut pace, folder, options, observe)? {
            run.save(folder, options)?; // the state knows of a new best
        }
        // One process stops at once; several tell each other in the exchange of the next step.
        let alone = options.processes.count() == 1;
        if !last && (options.processes.asked() || alone && (options.stop)()) {
            return Ok(End::Stopped);
        }
    }
    Ok(End::Done)
}

/// Validates, if anything is to be validated, and keeps the weights that are the best so far. Whether they are.
fn validate(
    run: &mut Run,
    pace: &mut Pace,
    folder: &RunFolder,
    options: &TrainOptions,
    observe: &mut impl FnMut(Event),
) -> Result<bool> {
    let Some(validate) = options.validate.as_ref().filter(|_| folder.is_written()) else {
        return Ok(false);
    };
    let validation = validate.run(run, options.stop, observe);
    let validation = validation.map_err(|error| match error {
        // Weights that are broken now were not before.
        Error::NotFinite { .. } => run.diverged_at(&options.recipe, run.iteration(), &[]),
        error => error,
    })?;
    let Some(validation) = validation else {
        return Ok(false); // it was asked to stop, and does so after this step
    };
    pace.pass(validation.time);
    let is_best = validation.is_best;
    if is_best {
        run.save_weights(folder, options, true)?;
    }
    observe(Event::Validated(validation));
    Ok(is_best)
}

/// The batches from number `first` on, or the share of these processes.
fn loader(options: &TrainOptions, processes: &Processes, first: u64) -> Result<Loader> {
    let recipe = &options.recipe;
    let spare = LoaderOptions::spare_threads();
    let options = LoaderOptions {
        workers: options.workers.unwrap_or(spare),
        cache_bytes: options.cache_bytes,
        share: (processes.rank(), processes.count()),
        hflip: recipe.hflip,
        rot: recipe.rot,
        degrade: recipe.degrade.clone(),
        scale: recipe.scale,
        patch: recipe.patch,
        batch: recipe.batch,
        seed: recipe.seed,
    };
    Loader::new(recipe.source.clone(), options, first)
}
