//! `path`: weights to start from, and folders.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::keys::{Keys, Section, Want};

/// `path`. Relative ones are relative to the working directory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Paths {
    /// Weights to start from, or to score.
    pub pretrain_network_g: Option<PathBuf>,
    /// The dictionary in that file; None: found by the names of the arrays in it. (BasicSR takes `params`.)
    pub param_key_g: Option<String>,
    /// Whether the file must have all arrays of the network [true, as in BasicSR's `SRModel`]; those of
    /// another scale lack the upsampler.
    pub strict_load_g: bool,
    /// A state to go on from; `pretrain_network_g` is not read then.
    pub resume_state: Option<PathBuf>,
    /// Folder of a run \[`experiments/NAME`\].
    pub experiments_root: Option<PathBuf>,
    /// Folder of what a scoring saves \[`results/NAME`\].
    pub results_root: Option<PathBuf>,
}

const FILE: Want<Option<PathBuf>> = Want::any("a file, or ~");
const FOLDER: Want<Option<PathBuf>> = Want::any("a folder, or ~");

impl Section for Paths {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        keys.renamed("pretrain_model_g", "pretrain_network_g");
        let weights = &mut self.pretrain_network_g;
        keys.key("pretrain_network_g", weights, Some(None), &FILE);
        keys.renamed("param_key", "param_key_g");
        let names = Want::any("the name of a dictionary, like params_ema, or ~");
        keys.key("param_key_g", &mut self.param_key_g, Some(None), &names);
        keys.renamed("strict_load", "strict_load_g");
        let switch = Want::any("true or false");
        keys.key(
            "strict_load_g",
            &mut self.strict_load_g,
            Some(true),
            &switch,
        );
        keys.key("resume_state", &mut self.resume_state, Some(None), &FILE);
        let run = &mut self.experiments_root;
        keys.key("experiments_root", run, Some(None), &FOLDER);
        keys.key("results_root", &mut self.results_root, Some(None), &FOLDER);
        keys.idle("ignore_resume_networks", "a state holds one network");
        let one = "there is one network here, and no discriminator";
        for name in ["pretrain_network_d", "param_key_d", "strict_load_d"] {
            keys.foreign(name, one);
        }
    }
}
