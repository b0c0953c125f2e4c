//! A report beside the one that was committed: what spills now and did not, what no longer compiles.

use std::collections::HashMap;

/// What two reports differ in.
#[derive(Debug, Default, PartialEq)]
pub struct Difference {
    /// What must not be.
    pub faults: Vec<String>,
    /// What is to be known.
    pub notes: Vec<String>,
}

/// One target's part of a report.
struct Section<'r> {
    driver: &'r str,
    totals: &'r str,
    /// Kernels with their spills, None where they do not compile.
    kernels: HashMap<&'r str, Option<u64>>,
}

/// The targets of a report, by name.
fn read(report: &str) -> Vec<(&str, Section<'_>)> {
    let mut sections = Vec::new();
    for part in format_parts(report) {
        let mut lines = part.lines();
        let head: Vec<_> = lines.next().unwrap_or_default().split(" | ").collect();
        let [name, _, _, driver, forward, step] = head[..] else {
            continue;
        };
        let totals = &part[part.find(forward).unwrap_or(0)..];
        let totals = &totals[..totals.find(step).unwrap_or(0) + step.len()];
        let kernels = lines.skip(1).filter_map(row).collect();
        let section = Section {
            driver,
            totals,
            kernels,
        };
        sections.push((name, section));
    }
    sections
}

fn format_parts(report: &str) -> impl Iterator<Item = &str> {
    report.split("== ").skip(1)
}

/// Columns before a kernel's name, and which has its spills.
const COLUMNS: usize = 13;
const SPILLS: usize = 2;

fn row(line: &str) -> Option<(&str, Option<u64>)> {
    let mut rest = line.trim_start();
    let mut spills = None;
    for column in 0..COLUMNS {
        let (word, after) = rest.split_once(' ')?;
        if column == SPILLS {
            spills = word.parse().ok();
        }
        rest = after.trim_start();
    }
    Some((rest, spills))
}

/// Compares a report with the committed one. What another version of a compiler makes is noted only.
pub fn compare(committed: &str, now: &str) -> Difference {
    let mut difference = Difference::default();
    let committed = read(committed);
    for (target, now) in read(now) {
        let Some((_, before)) = committed.iter().find(|(name, _)| *name == target) else {
            let note = format!("{target}: not in the committed report");
            difference.notes.push(note);
            continue;
        };
        let same = before.driver == now.driver;
        if !same {
            let (old, new) = (before.driver, now.driver);
            difference.notes.push(format!(
                "{target}: the compiler is {new}, the committed report's was {old}: differences are notes"
            ));
        }
        if before.totals != now.totals {
            let (old, new) = (before.totals, now.totals);
            difference
                .notes
                .push(format!("{target}: {old} is now {new}"));
        }
        let mut kernels: Vec<_> = now.kernels.iter().collect();
        kernels.sort();
        for (kernel, spills) in kernels {
            let known = before.kernels.get(kernel);
            let worse = match (known, spills) {
                (Some(None), None) => None,
                (_, None) => Some("no longer compiles".to_owned()),
                (Some(Some(before)), Some(now)) if now > before => {
                    Some(format!("spills {now} registers, {before} before"))
                }
                (None | Some(None), Some(now)) if *now > 0 => {
                    Some(format!("is new and spills {now} registers"))
                }
                _ => None,
            };
            let list = match same {
                true => &mut difference.faults,
                false => &mut difference.notes,
            };
            list.extend(worse.map(|worse| format!("{target}: {kernel} {worse}")));
        }
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(driver: &str, spills: &str) -> String {
        format!(
            "# a report\n== navi31 | RX | AMD | {driver} | forward 1.0 ms | step 2.0 ms\nhead\n\
             96 8 {spills} 500 40 0 0 0 8 18 0 1.000 2.000 linear R=4 OUTS=8\n\
             12 16 0 20 - 0 0 0 1 0 0 0.100 - scale VEC=4\n"
        )
    }

    #[test]
    fn a_new_spill_and_what_no_longer_compiles_are_faults() {
        let before = report("Mesa 25", "0");
        assert_eq!(compare(&before, &before), Difference::default());
        let spills = compare(&before, &report("Mesa 25", "3"));
        let said = "navi31: linear R=4 OUTS=8 spills 3 registers, 0 before";
        assert_eq!(spills.faults, [said]);
        let fails = compare(&before, &report("Mesa 25", "-"));
        assert_eq!(
            fails.faults,
            ["navi31: linear R=4 OUTS=8 no longer compiles"]
        );
        assert!(compare(&report("Mesa 25", "3"), &before).faults.is_empty());
    }

    #[test]
    fn what_another_compiler_does_is_a_note() {
        let now = compare(&report("Mesa 25", "0"), &report("Mesa 26", "3"));
        assert_eq!((now.faults.len(), now.notes.len()), (0, 2), "{now:?}");
    }
}
