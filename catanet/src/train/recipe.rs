//! What a run follows from, as it is kept with the run's state.

use std::collections::BTreeMap;
use std::str::FromStr;

use autograd::Var;
use nn::{AdamOptions, Schedule};
use serde::{Deserialize, Serialize};

use crate::data::{Degrade, Source};
use crate::error::{Error, Result};
use crate::options::{LossKind, PixelLoss, Reduction};

/// What all numbers of a run follow from: the same recipe, the same bits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recipe {
    /// The factor to learn.
    pub scale: usize,
    /// Where images come from. (Files are not kept: the folder is named anew, it may have moved.)
    pub source: Source,
    /// Which images, as [`Source::fingerprint`] has it; None: generated scenes, or not known.
    #[serde(default)]
    pub images: Option<String>,
    /// Steps, those of earlier sittings included.
    pub iterations: u64,
    /// Pairs in a step.
    pub batch: usize,
    /// Side of the low-resolution crop, at least [`MIN_SIDE`](crate::MIN_SIDE).
    pub patch: usize,
    /// The learning rate over the steps.
    pub schedule: Schedule,
    /// Weights, order, crops and scenes follow from it.
    pub seed: u64,
    /// How a gradient becomes a step.
    #[serde(default)]
    pub optimiser: Optimiser,
    /// What is to become small.
    #[serde(default)]
    pub loss: PixelLoss,
    /// The largest norm of the gradient of all parameters; None: any.
    #[serde(default)]
    pub clip: Option<f64>,
    /// What of the averaged weights stays in a step; None: no average. The average is what is
    /// validated and saved then.
    #[serde(default)]
    pub ema: Option<f64>,
    /// Whether crops are flipped at random.
    #[serde(default = "yes")]
    pub hflip: bool,
    /// Whether crops are turned at random.
    #[serde(default = "yes")]
    pub rot: bool,
    /// How low-resolution crops are made worse; None: not at all.
    #[serde(default)]
    pub degrade: Option<Degrade>,
    /// Processes that share each batch.
    #[serde(default = "one")]
    pub processes: usize,
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

/// Adam's numbers, without the rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Optimiser {
    /// Whether weights decay by themselves (AdamW) instead of by their gradient (Adam).
    pub decoupled: bool,
    /// What of the means of the gradient and of its square stays in a step.
    pub betas: (f64, f64),
    /// What keeps the division finite.
    pub eps: f64,
    /// What pulls weights to 0.
    pub weight_decay: f64,
}

impl Default for Optimiser {
    /// The paper's.
    fn default() -> Self {
        Optimiser {
            decoupled: false,
            betas: (0.9, 0.99),
            eps: 1e-8,
            weight_decay: 0.0,
        }
    }
}

impl From<Optimiser> for AdamOptions {
    fn from(optimiser: Optimiser) -> AdamOptions {
        AdamOptions {
            lr: 0.0, // set anew in each step
            betas: optimiser.betas,
            eps: optimiser.eps,
            weight_decay: optimiser.weight_decay,
            decoupled: optimiser.decoupled,
        }
    }
}

impl PixelLoss {
    /// The loss of a prediction, one number.
    pub fn of(&self, prediction: &Var, target: &Var) -> Var {
        let mean = match self.kind {
            LossKind::L1Loss => nn::l1_loss(prediction, target),
            LossKind::MSELoss => nn::mse_loss(prediction, target),
            LossKind::CharbonnierLoss => nn::charbonnier_loss(prediction, target, self.eps as f32),
        };
        let times = match self.reduction {
            Reduction::Mean => self.loss_weight,
            Reduction::Sum => self.loss_weight * prediction.len() as f64,
        };
        match times {
            1.0 => mean,
            times => autograd::scale(&mean, times as f32),
        }
    }
}

/// The learning rate that starts at `lr` and falls as the paper's does: halved at its milestones, which
/// are taken as fractions of its run.
pub fn paper_schedule(scale: usize, lr: f64, iterations: u64) -> Schedule {
    let eighths: &[f64] = match scale {
        2 => &[3.0, 5.0, 6.5, 7.0, 7.5],
        _ => &[4.0, 6.4, 7.2, 7.6],
    };
    let milestone = |e: &f64| (e / 8.0 * iterations as f64).round() as u64;
    Schedule::MultiStep {
        lr,
        milestones: eighths.iter().map(milestone).collect(),
        gamma: 0.5,
    }
}

/// The learning rate of a short run: along a cosine from `lr` to a hundredth of it.
pub fn cosine_schedule(lr: f64, iterations: u64) -> Schedule {
    Schedule::Cosine {
        lr,
        floor: lr * 1e-2,
        iterations,
    }
}

/// The key in a state's metadata.
const KEY: &str = "recipe";

impl Recipe {
    /// The recipe of a short run on generated scenes, with two crops of 32×32 in a step.
    pub fn small(scale: usize, iterations: u64) -> Recipe {
        Recipe {
            scale,
            source: Source::DeadLeaves,
            images: None,
            iterations,
            batch: 2,
            patch: 32,
            schedule: cosine_schedule(1e-3, iterations),
            seed: 3407,
            optimiser: Optimiser::default(),
            loss: PixelLoss::default(),
            clip: None,
            ema: None,
            hflip: true,
            rot: true,
            degrade: None,
            processes: 1,
        }
    }

    /// Pairs in a step of one process.
    pub fn share(&self) -> usize {
        self.batch / self.processes
    }

    /// Looks at every number, wherever it is from: a command line, an option file or a saved state.
    ///
    /// # Errors
    /// One that no training has.
    pub fn check(&self) -> Result<()> {
        let wrong = |what, value: String, wanted| {
            Err(Error::WrongRecipe {
                what,
                value,
                wanted,
            })
        };
        let rate = self.schedule.base_lr();
        let decays = [self.optimiser.betas.0, self.optimiser.betas.1];
        let decays = decays.into_iter().chain(self.ema);
        let positive = [Some(self.optimiser.eps), self.clip];
        if !(2..=4).contains(&self.scale) {
            return wrong("scale", self.scale.to_string(), "2, 3 or 4");
        }
        if !(1..=1 << 20).contains(&self.batch) {
            return wrong("batch", self.batch.to_string(), "1 to 1048576");
        }
        if self.processes == 0 || !self.batch.is_multiple_of(self.processes) {
            let value = format!("{} for {} processes", self.batch, self.processes);
            return wrong("batch", value, "a multiple of their number");
        }
        if !(1..=4096).contains(&self.patch) {
            return wrong("patch", self.patch.to_string(), "28 to 4096");
        }
        if self.iterations == 0 {
            return wrong("number of steps", "0".to_owned(), "1 or more");
        }
        if !(rate > 0.0 && rate.is_finite()) {
            return wrong("learning rate", rate.to_string(), "a number above 0");
        }
        if let Some(decay) = decays.into_iter().find(|d| !(0.0..1.0).contains(d)) {
            return wrong("decay", decay.to_string(), "a number from 0 to below 1");
        }
        if let Some(other) = positive
            .into_iter()
            .flatten()
            .find(|v| v.is_nan() || *v <= 0.0)
        {
            return wrong("eps or clip", other.to_string(), "a number above 0");
        }
        if !(self.optimiser.weight_decay >= 0.0 && self.optimiser.weight_decay.is_finite()) {
            let value = self.optimiser.weight_decay.to_string();
            return wrong("weight decay", value, "a number from 0 on");
        }
        Ok(())
    }

    pub(super) fn store(&self, metadata: &mut BTreeMap<String, String>) {
        let json = serde_json::to_string(self).expect("numbers and names have a JSON form");
        metadata.insert(KEY.to_owned(), json);
    }

    /// The recipe in a state's metadata, if there is one.
    pub(super) fn stored(
        metadata: &BTreeMap<String, String>,
    ) -> std::result::Result<Option<Recipe>, String> {
        let recipe: Option<Recipe> = match metadata.get(KEY) {
            Some(json) => {
                serde_json::from_str(json).map_err(|e| format!("its recipe is damaged: {e}"))?
            }
            None => from_single_keys(metadata)?,
        };
        if let Some(recipe) = &recipe {
            recipe.check().map_err(|error| error.to_string())?;
        }
        Ok(recipe)
    }
}

/// The recipe of a state from before recipes were kept as such: every option had a key of its own.
fn from_single_keys(
    metadata: &BTreeMap<String, String>,
) -> std::result::Result<Option<Recipe>, String> {
    fn parse<T: FromStr>(key: &str, text: &str) -> std::result::Result<T, String> {
        let wrong = |_| format!("its {key} is {text:?}, which is none");
        text.parse().map_err(wrong)
    }
    let keys = [
        "scale",
        "iterations",
        "batch",
        "patch",
        "lr",
        "seed",
        "schedule",
        "data",
    ];
    let [
        Some(scale),
        Some(iterations),
        Some(batch),
        Some(patch),
        Some(lr),
        Some(seed),
        Some(schedule),
        Some(data),
    ] = keys.map(|key| metadata.get(key))
    else {
        return Ok(None);
    };
    let (scale, iterations) = (parse("scale", scale)?, parse("iterations", iterations)?);
    let lr = parse("lr", lr)?;
    Ok(Some(Recipe {
        scale,
        iterations,
        batch: parse("batch", batch)?,
        patch: parse("patch", patch)?,
        seed: parse("seed", seed)?,
        schedule: match schedule.as_str() {
            "milestones" => paper_schedule(scale, lr, iterations),
            "cosine" => cosine_schedule(lr, iterations),
            other => return Err(format!("its schedule is {other:?}, which is none")),
        },
        source: match data.as_str() {
            "photographs" => Source::Photos(vec![]),
            "generated scenes" => Source::DeadLeaves,
            other => return Err(format!("its data is {other:?}, which is none")),
        },
        ..Recipe::small(scale, iterations)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(schedule: Schedule, source: Source) -> Recipe {
        Recipe {
            scale: 3,
            source,
            iterations: 1000,
            batch: 4,
            patch: 48,
            schedule,
            seed: u64::MAX,
            ..Recipe::small(3, 1000)
        }
    }

    fn same(a: &Recipe, b: &Recipe) -> bool {
        format!("{a:?}") == format!("{b:?}")
    }

    #[test]
    fn a_recipe_comes_back_to_the_bit_but_for_the_files() {
        let file = ("a.png".into(), None);
        for lr in [1.0 / 3.0, 2e-4, f64::MIN_POSITIVE, 0.1 + 0.2] {
            let mut metadata = BTreeMap::new();
            recipe(
                paper_schedule(3, lr, 1000),
                Source::Photos(vec![file.clone()]),
            )
            .store(&mut metadata);
            let back = Recipe::stored(&metadata).expect("sound").expect("there");
            let expected = recipe(paper_schedule(3, lr, 1000), Source::Photos(vec![]));
            assert!(same(&back, &expected), "{back:?}");
        }
    }

    #[test]
    fn states_with_a_key_for_every_option_are_read_still() {
        let keys = [
            ("scale", "3"),
            ("iterations", "1000"),
            ("batch", "4"),
            ("patch", "48"),
            ("schedule", "cosine"),
            ("lr", "0.0002"),
            ("seed", "18446744073709551615"),
            ("data", "generated scenes"),
            ("step", "7"),
        ];
        let mut metadata: BTreeMap<_, _> = keys.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let back = Recipe::stored(&metadata).expect("sound").expect("there");
        let expected = recipe(cosine_schedule(2e-4, 1000), Source::DeadLeaves);
        assert!(same(&back, &expected), "{back:?}");

        metadata.insert("lr".to_owned(), "fast".to_owned());
        let error = Recipe::stored(&metadata).expect_err("no rate");
        assert!(
            error.contains("lr") && error.contains("\"fast\""),
            "{error}"
        );
        metadata.clear();
        assert!(Recipe::stored(&metadata).expect("nothing wrong").is_none());
    }
}
