//! `report.html` of a run: how far it is, its curves, pictures over the course of training, validations, options.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::crops::Crop;
use super::curves::{Chart, Series};
use super::lines::duration;
use super::story::{RunStory, State, now};
use crate::page::{Page, Progress, Shown};
use crate::report::thousands;

/// The most validations in the table.
const MOST_ROWS: usize = 12;

/// Writes a story's page, whole or not at all.
///
/// # Errors
/// A curve cannot be drawn, or the file cannot be written.
pub fn save(story: &RunStory, path: &Path) -> Result<()> {
    page(story)?.save(path)
}

/// The page of a story.
///
/// # Errors
/// A curve cannot be drawn.
pub fn page(story: &RunStory) -> Result<Page> {
    let charts = charts(story);
    Ok(Page {
        title: format!("{} ×{}", story.name, story.scale),
        facts: facts(story),
        table: table(story),
        pictures: story.crops.iter().filter_map(picture).collect(),
        progress: Some(progress(story)),
        curves: charts.iter().map(Chart::svg).collect::<Result<_>>()?,
        options: story.options.clone(),
    })
}

/// The curves of a story: loss, learning rate and speed over steps; PSNR over steps for each set, with bicubic's and
/// the paper's; and what is gained over bicubic over crops seen, for all sets.
pub fn charts(story: &RunStory) -> Vec<Chart> {
    let of = |name: &str, figure: fn(&super::story::Report) -> f64| Series {
        name: name.to_owned(),
        points: story
            .reports()
            .map(|report| (report.step as f64, figure(&report)))
            .collect(),
    };
    let over_steps = |title: &str, line: Series| Chart {
        title: title.to_owned(),
        x: "steps".to_owned(),
        lines: vec![line],
        ..Chart::default()
    };
    let loss = of("as reported", |report| report.loss);
    let mut charts = vec![Chart {
        log: true,
        behind: Some(loss.clone()),
        ..over_steps("loss", loss.smoothed("smoothed"))
    }];
    let sets = story.sets();
    for set in &sets {
        let reference = story.reference(set);
        let bicubic = reference.and_then(|r| r.bicubic).map(|[psnr, _]| psnr);
        let paper = reference.and_then(|r| r.paper).map(|[psnr, _]| psnr);
        let levels = [("bicubic", bicubic), ("paper", paper)];
        let levels =
            levels.map(|(name, level)| level.map(|psnr| (format!("{name} {psnr:.2}"), psnr)));
        charts.push(Chart {
            levels: levels.into_iter().flatten().collect(),
            // The first steps may lie far below what is to be seen.
            floor: bicubic.map(|psnr| psnr - 2.0),
            ..over_steps(
                &format!("PSNR on {set} (dB)"),
                psnr(story, set, |step| step, 0.0),
            )
        });
    }
    let crops = |step: f64| step * story.batch as f64;
    let gains = sets.iter().filter_map(|set| {
        let [bicubic, _] = story.reference(set)?.bicubic?;
        Some(psnr(story, set, crops, bicubic))
    });
    let gains: Vec<_> = gains.collect();
    if !gains.is_empty() {
        charts.push(Chart {
            title: "PSNR above bicubic (dB)".to_owned(),
            x: "crops seen".to_owned(),
            lines: gains,
            floor: Some(-1.0),
            ..Chart::default()
        });
    }
    charts.push(over_steps(
        "learning rate",
        of("learning rate", |report| report.lr),
    ));
    let speed = of("as reported", |report| report.images_per_second);
    charts.push(Chart {
        behind: Some(speed.clone()),
        ..over_steps("speed (crops/s)", speed.smoothed("smoothed"))
    });
    charts
}

/// A set's PSNR above `zero`, over what `x` makes of the steps.
fn psnr(story: &RunStory, set: &str, x: impl Fn(f64) -> f64, zero: f64) -> Series {
    let of_set = story.validations().iter().filter(|v| v.set == set);
    Series {
        name: set.to_owned(),
        points: of_set.map(|v| (x(v.step as f64), v.psnr - zero)).collect(),
    }
}

fn progress(story: &RunStory) -> Progress {
    let seconds = |s: f64| duration(Duration::try_from_secs_f64(s).unwrap_or_default());
    let spent = story.seconds.total();
    let [done, total] = [story.done, story.total].map(count);
    let percent = 100.0 * story.done as f64 / story.total.max(1) as f64;
    let mut text = format!(
        "{done} of {total} steps ({percent:.0} %), {} so far",
        seconds(spent)
    );
    let state = match &story.state {
        State::Running if story.done > 0 => {
            let left = story.total.saturating_sub(story.done) as f64;
            text += &format!(", about {} left", seconds(spent / story.done as f64 * left));
            "running".to_owned()
        }
        State::Running => "running".to_owned(),
        State::Finished => "finished".to_owned(),
        State::Stopped(why) => format!("stopped: {why}"),
    };
    Progress {
        done: story.done,
        total: story.total,
        state,
        text,
    }
}

fn facts(story: &RunStory) -> Vec<(String, String)> {
    let spent = story.seconds.total();
    let part = |(name, seconds): (&str, f64)| {
        format!(
            "{name} {} ({:.0} %)",
            short(seconds),
            100.0 * seconds / spent.max(1e-9)
        )
    };
    let fact = |what: &str, value: String| (what.to_owned(), value);
    let crops = story.done.saturating_mul(story.batch);
    let mut facts = vec![
        fact("adapter", story.adapter.clone()),
        fact(
            "crops seen",
            format!("{} ({} a step)", count(crops), count(story.batch)),
        ),
    ];
    facts.extend(story.facts.iter().cloned());
    facts.push(fact("time", story.seconds.named().map(part).join(", ")));
    facts.push(fact(
        "program",
        format!("catanet {}", env!("CARGO_PKG_VERSION")),
    ));
    facts.push(fact("as of", now()));
    facts
}

/// PSNR and SSIM on each set: bicubic's, the paper's, the best so far, then step by step, the latest first.
fn table(story: &RunStory) -> Vec<Vec<String>> {
    let sets = story.sets();
    if sets.is_empty() {
        return Vec::new();
    }
    let row = |name: &str, cells: &dyn Fn(&str) -> Option<[String; 2]>| {
        let none = || ["–", "–"].map(str::to_owned);
        let cells = sets.iter().flat_map(|set| cells(set).unwrap_or_else(none));
        [name.to_owned()]
            .into_iter()
            .chain(cells)
            .collect::<Vec<_>>()
    };
    let measured = |psnr: f64, ssim: f64| [format!("{psnr:.3}"), format!("{ssim:.4}")];
    let printed = |[psnr, ssim]: [f64; 2]| [format!("{psnr:.2}"), format!("{ssim:.4}")];
    let of = |set: &str| story.reference(set);
    let best = |set: &str| story.best(set);
    let mut rows = vec![
        row("step", &|set| {
            Some([format!("{set} PSNR (dB)"), "SSIM".to_owned()])
        }),
        row("bicubic", &|set| {
            of(set)?.bicubic.map(|[psnr, ssim]| measured(psnr, ssim))
        }),
    ];
    if story
        .references
        .iter()
        .any(|reference| reference.paper.is_some())
    {
        rows.push(row("paper", &|set| of(set)?.paper.map(printed)));
    }
    rows.push(row("best", &|set| {
        best(set).map(|v| measured(v.psnr, v.ssim))
    }));
    rows.push(row("best at step", &|set| {
        best(set).map(|v| [count(v.step), String::new()])
    }));
    let mut steps: Vec<_> = story.validations().iter().map(|v| v.step).collect();
    steps.dedup();
    let every = steps.len().div_ceil(MOST_ROWS).max(1);
    for &step in steps.iter().rev().step_by(every) {
        let at = |set: &str| {
            story
                .validations()
                .iter()
                .find(|v| v.step == step && v.set == set)
        };
        rows.push(row(&count(step), &|set| {
            at(set).map(|v| measured(v.psnr, v.ssim))
        }));
    }
    rows
}

fn picture(crop: &Crop) -> Option<Shown> {
    let stages = crop.stages().iter();
    let stages = stages.map(|(step, png)| (format!("step {}", count(*step)), png.0.clone()));
    let original = crop.original.as_ref().map(|png| png.0.clone());
    Shown::in_stages(
        &crop.name,
        crop.width,
        crop.bicubic.0.clone(),
        original,
        stages.collect(),
    )
}

/// A time to compare: `2.3 s`, `1:02:03`.
fn short(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1} s"),
        s => duration(Duration::try_from_secs_f64(s).unwrap_or_default()),
    }
}

fn count(n: u64) -> String {
    thousands(usize::try_from(n).unwrap_or(usize::MAX))
}
