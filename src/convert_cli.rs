//! Turns weights from one format into another.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use catanet::weights::{is_pytorch_name, prefix_in};
use clap::Parser;
use nn::checkpoint::{
    Checkpoint, CheckpointError, Precision, Problem, StateDict, check_writable, parse, read,
    save_pth, save_safetensors,
};

use crate::report::is_picture;
use crate::terminal::{say, shown};

/// Turns weights into PyTorch's format (.pth, .pt, .ckpt, .bin) or safetensors.
#[derive(Parser, Debug)]
#[command(name = "convert", version)]
pub struct Cli {
    /// Weights to read, of PyTorch or safetensors
    input: PathBuf,
    /// File to write; its name says in which format
    output: PathBuf,
    /// Store 16 bits a number; safetensors only
    #[arg(long)]
    f16: bool,
}

/// Reads the input and writes the output, with a line on what was written.
///
/// # Errors
/// An input that is no file of weights, an output of no known format or that cannot be written, or
/// a number too large for 16 bits.
pub fn run(cli: &Cli) -> Result<()> {
    let Cli { input, output, f16 } = cli;
    let pytorch = is_pytorch(output)?;
    ensure!(
        !(pytorch && *f16),
        "--f16 is for safetensors; leave it out, or name another output"
    );
    ensure!(
        !is_picture(output),
        "{} is a picture, and would be written over; choose another name",
        shown(output)
    );
    check_writable(output).with_context(|| format!("cannot write {}", shown(output)))?;
    let bytes = read(input)?;
    let state = parse(&bytes).and_then(|file| weights(&file));
    let state = state.map_err(|problem| CheckpointError {
        path: input.clone(),
        problem,
    })?;
    match (pytorch, f16) {
        (true, _) => save_pth(output, &state)?,
        (false, true) => save_safetensors(output, &state, Precision::F16)?,
        (false, false) => save_safetensors(output, &state, Precision::F32)?,
    }
    let arrays = match state.arrays.len() {
        1 => "1 array".to_owned(),
        n => format!("{n} arrays"),
    };
    say(format_args!("{}: {arrays}", shown(output)));
    Ok(())
}

/// Whether the name asks for PyTorch's format; else for safetensors.
fn is_pytorch(output: &Path) -> Result<bool> {
    match output.extension() {
        _ if is_pytorch_name(output) => Ok(true),
        None => Ok(false),
        Some(end) if end.eq_ignore_ascii_case("safetensors") => Ok(false),
        Some(end) => bail!(
            "{} ends in .{}, which is no format of weights; name it .safetensors or .pth",
            shown(output),
            end.display()
        ),
    }
}

/// CATANet's arrays where the file has them, else those of its largest dictionary.
fn weights(file: &Checkpoint) -> Result<StateDict, Problem> {
    let prefix = match prefix_in(file) {
        Some(prefix) => prefix,
        None => file.largest()?,
    };
    let readable = |name: &&str| file.is_readable(&format!("{prefix}{name}"));
    let (kept, left): (Vec<_>, Vec<_>) = file.names(&prefix).partition(readable);
    // Of a network whose arrays are all of such a type, nothing would be left.
    let kept = if kept.is_empty() { left.clone() } else { kept };
    let state = file.arrays(&prefix, kept.iter().copied())?;
    for name in left {
        say(format_args!(
            "left out: `{name}`, of a type that is not read"
        ));
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nn::checkpoint::{Array, Data, load};
    use tempfile::{TempDir, tempdir};

    use super::*;

    /// A folder with `in.safetensors`, whose one array has this value.
    fn folder(value: f32) -> TempDir {
        let folder = tempdir().unwrap();
        let data = Data::F32(vec![value]);
        let shape = vec![1];
        let mut state = StateDict::default();
        let name = "module.w".to_owned();
        state.arrays.insert(name, Array { shape, data });
        let input = folder.path().join("in.safetensors");
        save_safetensors(input, &state, Precision::F32).unwrap();
        folder
    }

    fn convert(folder: &TempDir, output: &str, f16: bool) -> Result<PathBuf> {
        let output = folder.path().join(output);
        let input = folder.path().join("in.safetensors");
        run(&Cli {
            input,
            output: output.clone(),
            f16,
        })?;
        Ok(output)
    }

    #[test]
    fn the_name_of_the_output_says_what_is_written() {
        let folder = folder(0.5);
        for (name, zip) in [
            ("a.pth", true),
            ("a.PT", true),
            ("a.ckpt", true),
            ("a.Bin", true),
            ("a.safetensors", false),
            ("a", false),
        ] {
            let output = convert(&folder, name, false).unwrap();
            let bytes = fs::read(&output).unwrap();
            assert_eq!(bytes.starts_with(b"PK"), zip, "{name}");
            let arrays = load(&output).unwrap().arrays;
            assert_eq!(arrays["w"].data, Data::F32(vec![0.5]));
        }
    }

    #[test]
    fn what_cannot_be_written_as_asked_is_refused_and_nothing_is_left() {
        let folder = folder(1e9);
        for (name, f16, what) in [
            ("a.txt", false, ".txt"),
            ("a.png", true, ".png"),
            ("a.pth", true, "--f16"),
            ("a.safetensors", true, "`w` holds 1000000000"),
            ("gone/a.pth", false, "cannot write"),
        ] {
            let error = convert(&folder, name, f16).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
