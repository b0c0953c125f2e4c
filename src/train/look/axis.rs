//! Where an axis begins and ends, which of its values are marked, and how they are written.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::Ranged;

/// One axis of a chart, as the engine wants it. Positions on it are values, or their decimal logarithms.
#[derive(Debug, Clone)]
pub struct Axis {
    log: bool,
    range: (f64, f64), // positions of its ends
    marks: Vec<f64>,   // positions that are marked
    step: f64,         // between marks, as values; of a logarithmic axis, the least
}

impl Axis {
    /// The axis that holds `values` from the least to the largest, which are above 0 where it is logarithmic.
    /// `room` is the part of the range that stays free at either end.
    pub fn new(least: f64, most: f64, log: bool, room: f64) -> Axis {
        let position = |value: f64| if log { value.log10() } else { value };
        let (mut low, mut high) = (position(least), position(most));
        let span = high - low;
        // A constant has a range, too: 5 % of it, or a tenth of a decade.
        let margin = match (span > 0.0, log) {
            (true, _) => span * room,
            (false, true) => 0.1,
            (false, false) if low == 0.0 => 1.0,
            (false, false) => low.abs() * 0.05,
        };
        if room > 0.0 || span <= 0.0 {
            (low, high) = (low - margin, high + margin);
        }
        let marks = match log {
            true => log_marks(low, high),
            false => even_marks(low, high),
        };
        let value = |mark: f64| if log { 10f64.powf(mark) } else { mark };
        let gaps = marks.windows(2).map(|pair| value(pair[1]) - value(pair[0]));
        let step = gaps.fold(f64::INFINITY, f64::min);
        let range = (low, high);
        Axis {
            log,
            range,
            marks,
            step,
        }
    }

    /// The value in the middle.
    pub fn middle(&self) -> f64 {
        self.value(f64::midpoint(self.range.0, self.range.1))
    }

    fn value(&self, position: f64) -> f64 {
        if self.log {
            10f64.powf(position)
        } else {
            position
        }
    }

    /// Where a value lies, at most at an end.
    fn position(&self, value: f64) -> f64 {
        let position = if self.log { value.log10() } else { value };
        position.clamp(self.range.0, self.range.1)
    }

    /// A marked value as text: `1.5k`, `0.02`, `2e-4`.
    fn label(&self, value: f64) -> String {
        let size = value.abs();
        let exact = if self.log {
            size
        } else {
            self.step.min(size.max(self.step))
        };
        if size < exact * 1e-6 || size == 0.0 {
            return "0".to_owned();
        }
        let units = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
        match units.iter().find(|(unit, _)| size >= *unit * 0.9999) {
            Some((unit, name)) => short(value / unit, exact / unit) + name,
            None if exact < 0.9e-3 => {
                let text = format!("{value:.3e}");
                let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                format!("{}e{exponent}", trimmed(digits))
            }
            None => short(value, exact),
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let linear = RangedCoordf64::from(self.range.0..self.range.1);
        linear.map(&self.position(*value), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.marks.iter().map(|mark| self.value(*mark)).collect()
    }

    fn range(&self) -> Range<f64> {
        self.value(self.range.0)..self.value(self.range.1)
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(value: &f64) -> String {
        value.to_string()
    }

    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

/// As many digits behind the point as a step shows, without zeros at the end.
fn short(value: f64, step: f64) -> String {
    let digits = (1.0 - step.log10().floor()).clamp(0.0, 9.0) as usize;
    trimmed(&format!("{value:.digits$}")).to_owned()
}

fn trimmed(number: &str) -> &str {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    }
}

/// Multiples of 1, 2 or 5 times a power of ten, about five.
fn even_marks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power);
    let step = step
        .into_iter()
        .find(|step| *step >= rough * 0.9999)
        .unwrap_or(power);
    let first = (low / step - 1e-6).ceil() as i64;
    let last = (high / step + 1e-6).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

/// Powers of ten; on few decades 2 and 5 times these, too; on part of one, even steps.
fn log_marks(low: f64, high: f64) -> Vec<f64> {
    let decades = high - low;
    if decades < 0.7 {
        let marks = even_marks(10f64.powf(low), 10f64.powf(high));
        return marks
            .into_iter()
            .filter(|v| *v > 0.0)
            .map(f64::log10)
            .collect();
    }
    let between: &[f64] = if decades <= 2.5 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let every = (decades / 7.0).ceil().max(1.0) as i64;
    let powers = (low.floor() as i64..=high.ceil() as i64).filter(|power| power % every == 0);
    let marks = powers.flat_map(|power| between.iter().map(move |n| n.log10() + power as f64));
    marks.filter(|mark| (low..=high).contains(mark)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(least: f64, most: f64, log: bool) -> Vec<String> {
        let axis = Axis::new(least, most, log, 0.0);
        axis.marks
            .iter()
            .map(|mark| axis.label(axis.value(*mark)))
            .collect()
    }

    #[test]
    fn marks_are_round_and_short() {
        assert_eq!(labels(0.0, 260.0, false), ["0", "100", "200"]);
        assert_eq!(
            labels(0.0, 20_000.0, false),
            ["0", "5k", "10k", "15k", "20k"]
        );
        assert_eq!(
            labels(0.0, 5000.0, false),
            ["0", "1k", "2k", "3k", "4k", "5k"]
        );
        assert_eq!(
            labels(0.0, 2500.0, false),
            ["0", "500", "1k", "1.5k", "2k", "2.5k"]
        );
        assert_eq!(labels(0.0, 51_200_000.0, false), ["0", "20M", "40M"]);
        assert_eq!(labels(33.4, 38.6, false), ["34", "36", "38"]);
        assert_eq!(
            labels(-0.1, 0.32, false),
            ["-0.1", "0", "0.1", "0.2", "0.3"]
        );
        assert_eq!(
            labels(0.0, 2e-4, false),
            ["0", "5e-5", "1e-4", "1.5e-4", "2e-4"]
        );
    }

    #[test]
    fn a_logarithmic_axis_marks_ones_twos_and_fives() {
        assert_eq!(labels(0.0123, 0.2, true), ["0.02", "0.05", "0.1", "0.2"]);
        assert_eq!(labels(0.0121, 0.0188, true), ["0.014", "0.016", "0.018"]);
        assert_eq!(
            labels(1e-6, 1.0, true),
            ["1e-6", "1e-5", "1e-4", "0.001", "0.01", "0.1", "1"]
        );
    }

    #[test]
    fn a_constant_has_an_axis() {
        for (value, log) in [(0.0, false), (-3.0, false), (2e-4, false), (2e-4, true)] {
            let axis = Axis::new(value, value, log, 0.05);
            let at = axis.position(value);
            assert!(axis.range.0 < at && at < axis.range.1, "{axis:?}");
            assert!(axis.marks.len() < 12, "{axis:?}");
        }
    }
}
