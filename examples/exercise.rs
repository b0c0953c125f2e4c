//! Runs the check of an exercise: `cargo run --example exercise -- 7`; without a number, it lists them.
//! `-- 7 --solution` checks the solution instead. The exercises are in `exercises/`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use exercises::{EXERCISES, Side, Verdict};

#[path = "../exercises/mod.rs"]
mod exercises;

#[derive(Parser)]
struct Cli {
    /// Which exercise; without, all are listed.
    number: Option<usize>,
    /// Checks the solution.
    #[arg(long)]
    solution: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let Some(number) = cli.number else {
        for (i, exercise) in EXERCISES.iter().enumerate() {
            println!(
                "{:2}  chapter {:2}  {:3}  {}",
                i + 1,
                exercise.chapter,
                "★".repeat(exercise.stars),
                exercise.task
            );
        }
        return Ok(ExitCode::SUCCESS);
    };
    let exercise = number.checked_sub(1).and_then(|i| EXERCISES.get(i));
    let exercise =
        exercise.with_context(|| format!("there are exercises 1 to {}", EXERCISES.len()))?;
    let side = match cli.solution {
        true => Side::Solution,
        false => Side::Hole,
    };
    println!("exercise {number}: {}", exercise.task);
    println!("{}/{}", side.folder(), exercise.file);
    match (exercise.check)(side)? {
        Verdict::Right => {
            println!("right");
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Wrong(hint) => {
            println!("not yet: {hint}");
            Ok(ExitCode::FAILURE)
        }
    }
}
