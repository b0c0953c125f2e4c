//! How far a command is.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal, lines elsewhere; the bar is on stderr, so that stdout stays the results'.
pub struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
}

impl Progress {
    /// `done` of `total` steps are done; `message` stands beside the bar until there is news.
    pub fn new(total: u64, done: u64, message: &str) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{bar:32} {pos}/{len}  {msg}  {eta} left";
            let style = ProgressStyle::with_template(template);
            ProgressBar::new(total)
                .with_position(done)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_message(message.to_owned())
        });
        Progress { bar, total }
    }

    /// Now `done` steps are done. Without a bar, `print` gets the line, which begins with their number.
    pub fn show(&self, done: u64, news: String, print: impl FnOnce(&str)) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(news);
            }
            None => print(&format!("{done}/{}  {news}", self.total)),
        }
    }

    /// Lines are printed above the bar while `print` runs.
    pub fn aside(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// The bar stays as it is.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }

    /// The bar goes.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
