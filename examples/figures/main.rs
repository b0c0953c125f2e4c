//! Makes the figures of the book: `cargo run --example figures`, or into another folder: `-- FOLDER`.

use std::path::{Path, PathBuf};

use anyhow::Result;

mod curves;
mod drawings;
mod groups;
mod measures;
mod network;
mod svg;

/// A file's name, and what draws it.
type Figure = (&'static str, fn(&Path) -> Result<()>);

/// In no order: their names say where they belong.
const ALL: [&[Figure]; 5] = [
    drawings::FIGURES,
    curves::FIGURES,
    network::FIGURES,
    groups::FIGURES,
    measures::FIGURES,
];

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| "book/src/images".into());
    std::fs::create_dir_all(&folder)?;
    for (name, draw) in ALL.concat() {
        draw(&folder.join(name))?;
        println!("{name}");
    }
    Ok(())
}
