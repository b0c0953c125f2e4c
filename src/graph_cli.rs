//! `graph`: the tape of a training step's forward pass, drawn.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use autograd::{Var, trace};
use catanet::data::dead_leaves::scene;
use catanet::{CATANet, MIN_SIDE, Mode};
use clap::Parser;
use nn::checkpoint::write_atomically;
use tensor::{Device, Tensor};

use crate::advice::with_options;
use crate::args::AdapterArgs;
use crate::graph::Graph;
use crate::report::thousands;
use crate::terminal::{self, shown};

/// Draws what the tape notes in the forward pass of a training step: every op with its weights, its result's shape and
/// bytes, and its time.
#[derive(Parser, Debug, Clone)]
#[command(name = "graph", version)]
pub struct Cli {
    /// File to write: .svg, a list with lines for what is used later; or .dot, for Graphviz
    #[arg(short, long, value_name = "FILE", default_value = "graph.svg")]
    pub output: PathBuf,
    /// Factor of the network, 1 to 4
    #[arg(short, long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub scale: u8,
    /// Side of the image in pixels
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(MIN_SIDE as i64..=512))]
    pub side: u32,
    /// Where it computes, and what is told.
    #[command(flatten)]
    pub adapter: AdapterArgs,
}

/// Does what the command line asks.
///
/// # Errors
/// There is no adapter, or the file cannot be written.
pub fn run(cli: &Cli) -> Result<()> {
    let Some(device) = cli.adapter.open()? else {
        return Ok(());
    };
    graph(cli, &device).map_err(with_options)
}

fn graph(cli: &Cli, device: &Device) -> Result<()> {
    let end = cli.output.extension().unwrap_or_default();
    if end != "svg" && end != "dot" {
        bail!(
            "{} ends neither in .svg nor in .dot; name a file that does",
            shown(&cli.output)
        );
    }
    let side = cli.side as usize;
    let net = CATANet::new(device, usize::from(cli.scale), 0);
    let image = scene(1, 0, side, side).to_f32();
    let x = Var::constant(Tensor::new(device, &image, &[1, side, side, 3]));
    // Once before, so that kernels are compiled and lists made.
    drop(net.forward(&x, Mode::Train));
    let (y, ops) = trace(|| net.forward(&x, Mode::Train));
    drop(y);
    let title = format!(
        "CATANet ×{}, forward pass on {side}×{side}, {}",
        cli.scale,
        device.name()
    );
    let graph = Graph::new(&title, ops, &net);
    let text = match end == "dot" {
        true => graph.dot(),
        false => graph.svg(),
    };
    let failed = || format!("cannot write {}", shown(&cli.output));
    write_atomically(&cli.output, text.as_bytes()).with_context(failed)?;
    terminal::say(format_args!(
        "{}: {} ops, {} MB in their results",
        shown(&cli.output),
        graph.ops(),
        thousands((graph.bytes() as f64 / 1e6).ceil() as usize)
    ));
    Ok(())
}
