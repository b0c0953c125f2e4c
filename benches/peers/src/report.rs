//! The table on the terminal, and `target/peers.json`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::work::Work;

/// Everything measured.
#[derive(Serialize)]
pub struct Report {
    /// Where ours ran.
    pub adapter: String,
    /// One for each work and peer.
    pub rows: Vec<Row>,
}

/// One work beside one peer; what could not be measured is None.
#[derive(Serialize)]
pub struct Row {
    /// The work's name.
    pub work: &'static str,
    /// Whom ours was measured beside.
    pub peer: String,
    /// Median of ours.
    pub ours_s: Option<f64>,
    /// Median of the peer's.
    pub peer_s: Option<f64>,
    /// ours_s / peer_s: below 1, ours is faster.
    pub ratio: Option<f64>,
    /// What ours needed.
    pub ours_peak_bytes: Option<u64>,
    /// What the peer needed.
    pub peer_peak_bytes: Option<u64>,
}

/// The heads of the columns that [`Row::line`] fills.
pub const HEAD: &str = "\
work                     peer                           ours    peer  ratio   GFLOP/s       peak MB       ratio
                                                          ms      ms          ours   peer   ours    peer";

impl Row {
    /// Neither is known yet.
    pub fn new(work: &'static str, peer: &str) -> Row {
        Row {
            work,
            peer: peer.to_owned(),
            ours_s: None,
            peer_s: None,
            ratio: None,
            ours_peak_bytes: None,
            peer_peak_bytes: None,
        }
    }

    /// As a line of the table.
    pub fn line(&self, work: Work) -> String {
        let ms = |s: Option<f64>| cell(s.map(|s| s * 1e3));
        let rate = |s: Option<f64>| cell(work.flops().zip(s).map(|(flops, s)| flops / s / 1e9));
        let mb = |bytes: Option<u64>| cell(bytes.map(|b| b as f64 / 1e6));
        let memory = self.ours_peak_bytes.zip(self.peer_peak_bytes);
        let memory = memory.filter(|(_, peer)| *peer > 0);
        format!(
            "{:24} {:26} {:>8} {:>7} {:>6} {:>6} {:>6} {:>6} {:>7} {:>6}",
            self.work,
            self.peer,
            ms(self.ours_s),
            ms(self.peer_s),
            cell(self.ratio),
            rate(self.ours_s),
            rate(self.peer_s),
            mb(self.ours_peak_bytes),
            mb(self.peer_peak_bytes),
            cell(memory.map(|(ours, peer)| ours as f64 / peer as f64)),
        )
    }
}

/// A number in three digits or more, in at most six places.
fn cell(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(v) if v < 9.995 => format!("{v:.2}"),
        Some(v) if v < 99.95 => format!("{v:.1}"),
        Some(v) => format!("{v:.0}"),
    }
}

impl Report {
    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let beside = path.with_extension("json.tmp");
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}
