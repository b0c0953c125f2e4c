//! What an evaluation says: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use catanet::evaluate::SetScore;
use catanet::metrics::Quality;
use catanet::multi_adds::{MultiAdds, parameters};
use catanet::{CATANet, Error};
use nn::checkpoint::write_atomically;
use serde::Serialize;

use crate::terminal;

/// The input that Multi-Adds are counted for.
const SIDE: usize = 256;

/// Two figures of the paper, PSNR and SSIM.
type Printed = [f64; 2];

/// Tables 2 and 3 of the paper, Set5 to Manga109, without and with the self-ensemble.
#[rustfmt::skip]
const PAPER: [(usize, [Printed; 5], [Printed; 5]); 3] = [
    (2, [[38.28, 0.9617], [33.99, 0.9217], [32.37, 0.9023], [33.09, 0.9372], [39.37, 0.9784]],
        [[38.35, 0.9620], [34.11, 0.9229], [32.41, 0.9027], [33.33, 0.9387], [39.57, 0.9788]]),
    (3, [[34.75, 0.9300], [30.67, 0.8481], [29.28, 0.8101], [29.04, 0.8689], [34.40, 0.9499]],
        [[34.83, 0.9307], [30.73, 0.8490], [29.34, 0.8111], [29.24, 0.8718], [34.69, 0.9512]]),
    (4, [[32.58, 0.8998], [28.90, 0.7880], [27.75, 0.7427], [26.87, 0.8081], [31.31, 0.9183]],
        [[32.68, 0.9009], [28.98, 0.7894], [27.80, 0.7437], [27.04, 0.8113], [31.58, 0.9206]]),
];

pub(crate) fn printed(set: &str, scale: usize, self_ensemble: bool) -> Option<Printed> {
    let column = match set.to_ascii_lowercase().as_str() {
        "set5" => 0,
        "set14" => 1,
        "b100" | "bsd100" => 2,
        "urban100" => 3,
        "manga109" => 4,
        _ => return None,
    };
    let (_, plain, ensemble) = PAPER.iter().find(|(s, ..)| *s == scale)?;
    Some(if self_ensemble { ensemble } else { plain }[column])
}

/// What was evaluated, and how it came out.
pub struct Report {
    scale: usize,
    parameters: usize,
    multi_adds: MultiAdds,
    adapter: String,
    self_ensemble: bool,
    sets: Vec<SetScore>,
    failed: Vec<(String, String)>, // sets without a score, and why
}

impl Report {
    /// The report on `sets` as `net` enlarged them, and on those that `failed`: name and reason.
    pub fn new(
        net: &CATANet,
        self_ensemble: bool,
        sets: Vec<SetScore>,
        failed: Vec<(String, String)>,
    ) -> Self {
        Report {
            scale: net.scale(),
            parameters: parameters(net),
            multi_adds: MultiAdds::of(net.scale(), SIDE, SIDE),
            adapter: net.device().name().to_owned(),
            self_ensemble,
            sets,
            failed,
        }
    }

    /// The sets that were scored.
    pub fn sets(&self) -> &[SetScore] {
        &self.sets
    }

    /// Whether no image has been enlarged.
    pub fn is_empty(&self) -> bool {
        self.sets.iter().all(|set| set.images.is_empty())
    }

    /// What has no score, and why, the first of it.
    pub fn first_failure(&self) -> Option<String> {
        self.failures().into_iter().next()
    }

    /// What has no score, each with the reason.
    fn failures(&self) -> Vec<String> {
        let images = self.sets.iter().flat_map(|set| {
            let line =
                |f: &catanet::evaluate::Failure| format!("{}/{}: {}", set.name, f.name, f.error);
            set.failed.iter().map(line)
        });
        let sets = self
            .failed
            .iter()
            .map(|(name, why)| format!("{name}: {why}"));
        images.chain(sets).collect()
    }

    /// # Errors
    /// Not everything was scored: what, and why.
    pub fn all_scored(&self) -> Result<()> {
        match self.failures().as_slice() {
            [] => Ok(()),
            [one] => bail!("not scored: {one}"),
            all => bail!("{} not scored: {}", all.len(), all.join("; ")),
        }
    }

    /// A table, each set with bicubic's row, ours, and the paper's where it has one.
    pub fn table(&self) -> String {
        let billions = |n: u64| n as f64 / 1e9;
        let mut text = format!(
            "CATANet ×{}: {} parameters\nMulti-Adds for an input of 3×{SIDE}×{SIDE}: {:.1} G, with the \
             products of attention {:.1} G\n\nPSNR (dB) / SSIM     {:<18}  {:<18}  seconds\n",
            self.scale,
            thousands(self.parameters),
            billions(self.multi_adds.layers),
            billions(self.multi_adds.with_attention),
            "raw output",
            "8-bit output"
        );
        for set in &self.sets {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{}, {}", set.name, count(set.images.len()));
            let unscored = set.images.iter().filter(|i| i.network.is_none()).count();
            if unscored > 0 {
                let least = 2 * set.scale + 11;
                let _ = write!(text, " ({unscored} below {least} pixels a side, left out)");
            }
            let _ = write!(text, "\n{}\n", measured("bicubic", set.bicubic()));
            let ours = if self.self_ensemble {
                "ours †"
            } else {
                "ours"
            };
            let _ = writeln!(
                text,
                "{}    {:7.2}",
                measured(ours, set.network()),
                set.seconds()
            );
            for (name, ensemble) in [("paper", false), ("paper †", true)] {
                let row = printed(&set.name, set.scale, ensemble);
                if let Some([psnr, ssim]) = row.filter(|_| !ensemble || self.self_ensemble) {
                    // As many digits as the paper gives.
                    let _ = writeln!(text, "  {name:<17}  {psnr:6.2}  / {ssim:.4}");
                }
            }
        }
        text += "\nOn Y, the scale's width cut from every edge. Raw: the output as it is, as in the paper; \
                 8-bit:\nclamped and rounded, as in most others.";
        if self.self_ensemble {
            text += " †: the mean over 8 flips and transposes.";
        }
        text + "\n"
    }

    /// The figures of the raw output as a table of text, the head first.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let head = ["set", "", "PSNR (dB)", "SSIM"].map(str::to_owned).to_vec();
        let row = |set: &str, what: &str, psnr: String, ssim: f64| {
            vec![set.to_owned(), what.to_owned(), psnr, format!("{ssim:.4}")]
        };
        let mut rows = vec![head];
        for set in &self.sets {
            let measured = [("bicubic", set.bicubic()), ("ours", set.network())];
            for (what, quality) in measured {
                rows.extend(
                    quality.map(|q| row(&set.name, what, format!("{:.3}", q.psnr), q.ssim)),
                );
            }
            let paper = printed(&set.name, set.scale, self.self_ensemble);
            rows.extend(
                paper.map(|[psnr, ssim]| row(&set.name, "paper", format!("{psnr:.2}"), ssim)),
            );
        }
        rows
    }

    /// Writes the machine-readable results, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_json(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(&Json::from(self)).context("results as JSON")?;
        write_atomically(path, &json).map_err(|source| unwritable(path, source))
    }
}

/// Whether a file can be written to `path`, tried out beside it: to know before hours of work.
///
/// # Errors
/// It cannot, since its folder does not exist, say; or `path` is a folder, a picture or a file of weights,
/// which nobody means to lose.
pub fn check_writable(path: &Path) -> Result<()> {
    ensure!(
        !is_precious(path),
        "{} is a picture or a file of weights, and would be written over; choose another name",
        path.display()
    );
    nn::checkpoint::check_writable(path).map_err(|source| unwritable(path, source))
}

fn is_precious(path: &Path) -> bool {
    let head = head_of(path);
    is_picture(path) || head.starts_with(b"PK\x03\x04") || head.get(8) == Some(&b'{')
}

/// Whether a picture stands at `path`, by the first bytes.
pub(crate) fn is_picture(path: &Path) -> bool {
    picture::dimensions(&head_of(path)).is_ok()
}

/// The first bytes of a file; none where there is no file, or it cannot be read.
fn head_of(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    if path.is_file()
        && let Ok(file) = File::open(path)
    {
        // What is read till a failure is looked at.
        let _ = file.take(1 << 16).read_to_end(&mut head);
    }
    head
}

fn unwritable(path: &Path, source: io::Error) -> anyhow::Error {
    let path = path.to_owned();
    Error::UnwritableFile { path, source }.into()
}

fn count(images: usize) -> String {
    match images {
        1 => "1 image".to_owned(),
        n => format!("{n} images"),
    }
}

fn measured(name: &str, quality: Option<Quality>) -> String {
    match quality {
        Some(q) => format!(
            "  {name:<17}  {:7.3} / {:.4}    {:7.3} / {:.4}",
            q.psnr, q.ssim, q.psnr_8bit, q.ssim_8bit
        ),
        None => format!("  {name:<17}  {:>16}    {:>16}", "–", "–"),
    }
}

/// 477435 → 477,435
pub(crate) fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Ends a program: success, or the error in one line on stderr. (A `Result` from `main` would print
/// an error and then, as its cause, once more what it already told.)
pub fn exit(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::FAILURE
        }
    }
}

/// Prints an error.
pub fn tell(error: &anyhow::Error) {
    for line in told(error).lines() {
        terminal::err(format_args!("error: {line}"));
    }
}

/// The error in one line; the faults of an option file, or of several images, in a line each.
fn told(error: &anyhow::Error) -> String {
    let faults = |cause: &&(dyn std::error::Error + 'static)| {
        let error = cause.downcast_ref();
        matches!(
            error,
            Some(Error::UnfitImages { .. } | Error::WrongOptions { .. })
        )
    };
    match error.chain().find(faults) {
        Some(faults) => faults.to_string(),
        None => one_line(error),
    }
}

/// The error and its causes, without those that it quotes already.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[derive(Serialize)]
struct Json<'a> {
    parameters: usize,
    multi_adds: u64,
    multi_adds_with_attention: u64,
    adapter: &'a str,
    sets: Vec<JsonSet<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_sets: Vec<JsonFailure>,
}

#[derive(Serialize)]
struct JsonFailure {
    name: String,
    error: String,
}

#[derive(Serialize)]
struct JsonSet<'a> {
    name: &'a str,
    scale: usize,
    seconds: f64,
    mean: Figures,
    bicubic: Figures,
    /// Those of an option file, by its names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metrics: BTreeMap<&'a str, Option<f64>>,
    images: Vec<JsonImage<'a>>,
    failed: Vec<JsonFailure>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct JsonImage<'a> {
    name: &'a str,
    #[serde(flatten)]
    figures: Figures,
}

/// null where the image is too small to score.
#[derive(Serialize)]
struct Figures {
    psnr: Option<f64>,
    ssim: Option<f64>,
    psnr_8bit: Option<f64>,
    ssim_8bit: Option<f64>,
}

impl From<Option<Quality>> for Figures {
    fn from(quality: Option<Quality>) -> Self {
        Figures {
            psnr: quality.map(|q| q.psnr),
            ssim: quality.map(|q| q.ssim),
            psnr_8bit: quality.map(|q| q.psnr_8bit),
            ssim_8bit: quality.map(|q| q.ssim_8bit),
        }
    }
}

impl<'a> From<&'a Report> for Json<'a> {
    fn from(report: &'a Report) -> Self {
        let sets = report.sets.iter().map(|set| JsonSet {
            name: &set.name,
            scale: set.scale,
            seconds: set.seconds(),
            mean: set.network().into(),
            bicubic: set.bicubic().into(),
            metrics: set
                .metrics
                .iter()
                .map(|(name, value)| (&**name, *value))
                .collect(),
            images: set
                .images
                .iter()
                .map(|image| JsonImage {
                    name: &image.name,
                    figures: image.network.into(),
                })
                .collect(),
            failed: set
                .failed
                .iter()
                .map(|f| JsonFailure {
                    name: f.name.clone(),
                    error: f.error.to_string(),
                })
                .collect(),
            notes: &set.notes,
        });
        let failed_sets = report.failed.iter().map(|(name, error)| JsonFailure {
            name: name.clone(),
            error: error.clone(),
        });
        Json {
            parameters: report.parameters,
            multi_adds: report.multi_adds.layers,
            multi_adds_with_attention: report.multi_adds.with_attention,
            adapter: &report.adapter,
            sets: sets.collect(),
            failed_sets: failed_sets.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmark_sets_are_known_by_all_their_names_at_all_scales_but_one() {
        assert_eq!(printed("Set5", 4, false), Some([32.58, 0.8998]));
        assert_eq!(printed("bsd100", 3, true), printed("B100", 3, true));
        assert_eq!(printed("Set5", 1, false), None);
        assert_eq!(printed("DeadLeaves", 2, false), None);
    }

    #[test]
    fn an_error_is_told_in_one_line_with_each_cause_once() {
        let refused = || io::Error::other("the disk\nis full");
        let plain = anyhow::Error::from(refused()).context("cannot save");
        assert_eq!(one_line(&plain), "cannot save: the disk is full");
        let quoted = unwritable(Path::new("a.json"), refused()).context("after ×2");
        let line = one_line(&quoted);
        assert!(line.starts_with("after ×2: cannot write a.json: the disk is full; "));
        assert_eq!(line.matches("full").count(), 1, "{line}");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [7, 477_435, 1_000_000].map(thousands),
            ["7", "477,435", "1,000,000"]
        );
    }
}
