//! What `eval` is to do: its sets, weights and metrics, from the command line or from an option file.

use std::path::PathBuf;

use anyhow::{Result, bail};
use catanet::data::benchmark::{BenchmarkSet, find_sets, name_apart, select_sets};
use catanet::metrics::Metric;
use catanet::options::{self, Options};

use crate::eval_cli::{Cli, default_sets};
use crate::weights::{NetworkArgs, shipped_name};

/// A set to score.
#[derive(Clone, Debug)]
pub(crate) struct ScoredSet {
    pub set: BenchmarkSet,
    /// What its enlarged images are called, `{}` being an image's name; None: `{}_x2`.
    pub save_as: Option<String>,
}

impl From<BenchmarkSet> for ScoredSet {
    fn from(set: BenchmarkSet) -> Self {
        ScoredSet { set, save_as: None }
    }
}

/// What is to be done.
pub(crate) struct Job {
    pub sets: Vec<ScoredSet>,
    pub network: NetworkArgs,
    pub metrics: Vec<(String, Metric)>,
    /// Where enlarged images go, if they are to be kept.
    pub save: Option<PathBuf>,
    /// What a user should know, a sentence each.
    pub notes: Vec<String>,
}

impl Job {
    /// What the command line asks for.
    ///
    /// # Errors
    /// The option file is not to be followed; there are no sets, or none of a name.
    pub fn of(cli: &Cli) -> Result<Job> {
        let (changes, names): (Vec<_>, Vec<_>) = cli.set.iter().partition(|set| set.contains('='));
        let names: Vec<String> = names.into_iter().cloned().collect();
        let Some(file) = &cli.opt else {
            if let Some(change) = changes.first() {
                bail!("--set {change} changes an option file; name one with --opt");
            }
            let sets = match &cli.data {
                Some(folder) => find_sets(folder)?,
                None => default_sets()?,
            };
            let mut sets = select_sets(sets, &names)?;
            name_apart(&mut sets);
            return Ok(Job {
                sets: sets.into_iter().map(ScoredSet::from).collect(),
                network: cli.network.clone(),
                metrics: Vec::new(),
                save: cli.save.clone(),
                notes: Vec::new(),
            });
        };
        let change = |change: &&String| change.split_once('=').map(owned);
        let changes: Vec<_> = changes.iter().filter_map(change).collect();
        let (options, notes) = Options::read(file, &changes)?;
        from_options(cli, &options, &names, notes)
    }
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.trim().to_owned(), value.to_owned())
}

fn from_options(
    cli: &Cli,
    options: &Options,
    names: &[String],
    mut notes: Vec<String>,
) -> Result<Job> {
    let scale = options.scale;
    if let Some(other) = cli
        .network
        .scale
        .filter(|other| usize::from(*other) != scale)
    {
        bail!("the option file is for ×{scale}, and --scale says {other}; leave out --scale");
    }
    let scored = &options.datasets.scored;
    if scored.is_empty() {
        bail!("the option file has no set to score; add one as datasets.test_1, or use --data");
    }
    let set = |(_, set): &(String, options::ScoredSet)| {
        BenchmarkSet::paired(&set.name, set.pairs.clone())
    };
    let mut sets: Vec<_> = scored.iter().map(set).collect();
    name_apart(&mut sets);
    let wanted = select_sets(sets.clone(), names)?;
    let val = options.val.clone().unwrap_or_default();
    let suffix = val.suffix.as_ref().unwrap_or(&options.name);
    let by_file = cli.save.is_none() && val.save_img;
    let named = |(set, (_, scored)): (BenchmarkSet, &(String, options::ScoredSet))| {
        // BasicSR calls them by the low-resolution file.
        let low = scored
            .pairs
            .lq
            .as_ref()
            .map(|_| scored.pairs.template.as_str());
        let save_as = by_file.then(|| format!("{}_{suffix}", low.unwrap_or("{}")));
        ScoredSet { set, save_as }
    };
    let is_wanted = |set: &ScoredSet| wanted.iter().any(|w| w.name == set.set.name);
    let sets = sets.into_iter().zip(scored).map(named).filter(is_wanted);

    let mut network = cli.network.clone();
    network.scale = u8::try_from(scale).ok();
    if network.file().is_none() {
        let named = options.path.pretrain_network_g.clone();
        // Options that a run wrote may name weights of the program's.
        network.weights = named.filter(|file| *file != shipped_name(scale));
        network.key.clone_from(&options.path.param_key_g);
        if network.weights.is_none() {
            let text = format!(
                "path.pretrain_network_g names no weights: those that the program carries for \
                 ×{scale} are scored; --weights or --run names others"
            );
            notes.push(text);
        } else if !options.path.strict_load_g {
            let text = "path.strict_load_g is false, and still all weights must be in the file: \
                        with some left at random there would be nothing to score";
            notes.push(text.to_owned());
        }
    }
    let metric = |(name, measured): &(String, options::Measured)| (name.clone(), measured.metric);
    Ok(Job {
        sets: sets.collect(),
        network,
        metrics: val.metrics.iter().map(metric).collect(),
        save: match by_file {
            true => Some(options.results_root().join("visualization")),
            false => cli.save.clone(),
        },
        notes,
    })
}
