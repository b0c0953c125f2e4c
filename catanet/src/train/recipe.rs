//! What a run follows from, as it is kept with the run's state.

use std::collections::BTreeMap;
use std::str::FromStr;

use nn::Schedule;
use serde::{Deserialize, Serialize};

use crate::data::Source;

/// What all numbers of a run follow from: the same recipe, the same bits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recipe {
    /// The factor to learn.
    pub scale: usize,
    /// Where images come from. (Files are not kept: the folder is named anew, it may have moved.)
    pub source: Source,
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
    pub(super) fn store(&self, metadata: &mut BTreeMap<String, String>) {
        let json = serde_json::to_string(self).expect("numbers and names have a JSON form");
        metadata.insert(KEY.to_owned(), json);
    }

    /// The recipe in a state's metadata, if there is one.
    pub(super) fn stored(metadata: &BTreeMap<String, String>) -> Result<Option<Recipe>, String> {
        match metadata.get(KEY) {
            Some(json) => {
                serde_json::from_str(json).map_err(|e| format!("its recipe is damaged: {e}"))
            }
            None => from_single_keys(metadata),
        }
    }
}

/// The recipe of a state from before recipes were kept as such: every option had a key of its own.
fn from_single_keys(metadata: &BTreeMap<String, String>) -> Result<Option<Recipe>, String> {
    fn parse<T: FromStr>(key: &str, text: &str) -> Result<T, String> {
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
