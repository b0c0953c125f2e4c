//! The weights that a run starts from.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use catanet::options::{Options, Paths};
use catanet::train::{Recipe, best_file, weights_file};
use catanet::weights::{load_body, load_body_bytes, load_bytes, load_key};
use catanet::{CATANet, Error};
use tensor::Device;

use crate::terminal;
use crate::train_cli::TrainArgs;
use crate::weights::{shipped, shipped_name};

/// How weights of another scale are told.
const BODY: &str = " (all but the upsampler)";
/// The folder of the published ×2 run, from which its ×3 and ×4 runs start.
const PUBLISHED_X2: &str = "experiments/train_CATANet_x2_scratch";

/// The network at iteration 0: ×3 and ×4 take all but the upsampler from ×2 weights, as the paper does. What is chosen
/// is put into the options.
pub fn start(
    args: &TrainArgs,
    options: &mut Options,
    recipe: &Recipe,
    device: &Device,
) -> Result<CATANet> {
    if options.path.pretrain_network_g.is_none() && recipe.scale > 2 {
        let own = args.opt.is_some().then(published_x2).flatten();
        options.path.pretrain_network_g = Some(own.unwrap_or_else(|| shipped_name(2)));
        options.path.strict_load_g = false;
    }
    let net = CATANet::new(device, recipe.scale, recipe.seed);
    let Some(file) = &options.path.pretrain_network_g else {
        return Ok(net);
    };
    let Some(scale) = (2..=4).find(|scale| shipped_name(*scale) == *file) else {
        return from_file(device, file, &options.path, recipe);
    };
    let name = format!("the shipped weights for ×{scale}");
    if scale != recipe.scale {
        load_body_bytes(&net, shipped(scale)?)?;
        terminal::say(format_args!("starting from {name}{BODY}"));
        return Ok(net);
    }
    let (net, _) = load_bytes(device, shipped(scale)?, Path::new(&name), Some(scale))?;
    terminal::say(format_args!("starting from {name}"));
    Ok(net)
}

fn from_file(device: &Device, file: &Path, options: &Paths, recipe: &Recipe) -> Result<CATANet> {
    let key = options.param_key_g.as_deref();
    let (net, part) = match load_key(device, file, key, Some(recipe.scale)) {
        Ok((net, _)) => (net, ""),
        Err(Error::WrongScale { .. }) if !options.strict_load_g => {
            let net = CATANet::new(device, recipe.scale, recipe.seed);
            load_body(&net, file)?;
            (net, BODY)
        }
        Err(error @ Error::WrongScale { .. }) => {
            bail!("{error}; with path.strict_load_g: false all of them but the upsampler are taken")
        }
        Err(error) => return Err(error.into()),
    };
    terminal::say(format_args!(
        "starting from {}{part}",
        terminal::shown(file)
    ));
    Ok(net)
}

/// The weights of an own run of the published ×2 options, if there was one.
fn published_x2() -> Option<PathBuf> {
    let out = Path::new(PUBLISHED_X2);
    [best_file(out), weights_file(out)]
        .into_iter()
        .find(|file| file.is_file())
}
