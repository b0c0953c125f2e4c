//! Measures CATANet and its kernels beside PyTorch and burn: see README.md.

#[cfg(feature = "burn")]
mod burn;
mod contestant;
mod memory;
mod ours;
mod peers;
mod report;
mod serve;
mod work;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use tensor::Device;

use crate::contestant::Contestant;
use crate::peers::{Peers, torch_worker};
use crate::report::{HEAD, Report, Row};
use crate::work::Work;

/// Measures CATANet and its kernels beside PyTorch and burn-wgpu, in turns on the same machine, and
/// writes target/peers.json.
///
/// Times are medians, from inputs on the device to the finished result on the device, after
/// compiling and warming up. Peak memory on a GPU: all that our pool holds, PyTorch's
/// max_memory_allocated (max_memory_reserved with graphs), burn's pool; on a processor: the most
/// resident memory during the runs, less what the process had before the work was set up.
#[derive(Parser)]
struct Cli {
    /// Only works whose name is or begins with WORK (forward_x2_64, kernel_); several may be given
    #[arg(long, value_name = "WORK", value_delimiter = ',')]
    only: Vec<String>,
    /// Only peers whose name begins with PEER (torch-cuda-fp32, burn); several may be given
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    peer: Vec<String>,
    /// Fewer runs: figures for a first look
    #[arg(long)]
    quick: bool,
    /// Adapter to compute on, by number or part of its name [default: the best there is]
    #[arg(long, value_name = "NAME", env = "CATANET_ADAPTER")]
    adapter: Option<String>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// One contestant: what this program starts itself as
    #[command(hide = true)]
    Contestant {
        peer: String,
        work: String,
        #[arg(long)]
        software: bool,
    },
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    match &cli.role {
        None => compare(cli),
        Some(Role::Contestant {
            peer,
            work,
            software,
        }) => serve::or_say_why(|| {
            let work = serde_json::from_str(work)?;
            match peer.as_str() {
                OURS => ours::serve(work),
                #[cfg(feature = "burn")]
                peers::BURN => burn::serve(work, *software),
                _ => bail!("{peer} is not known (software: {software})"),
            }
        }),
    }
}

/// Our name as a contestant.
const OURS: &str = "ours";

/// How contestants are started.
struct Arena {
    adapter: Option<String>,
    software: bool,
    log: File,
    cold_caches: PathBuf, // emptied at every cold start
}

impl Arena {
    fn start(&self, name: &str, work: Work) -> Result<Contestant> {
        let cold = is_cold(work);
        let work = serde_json::to_string(&work)?;
        let mut command = if name.starts_with("torch") {
            torch_worker()
        } else {
            let mut ourselves = Command::new(std::env::current_exe()?);
            ourselves.arg("contestant");
            if self.software {
                ourselves.arg("--software");
            }
            ourselves
        };
        command.args([name, &work]);
        // As many threads as the software driver has.
        let threads = thread::available_parallelism()?.to_string();
        command.env("OMP_NUM_THREADS", threads);
        if let Some(adapter) = &self.adapter {
            command.env("CATANET_ADAPTER", adapter);
        }
        if cold {
            // Where drivers, our compiler and PyTorch's keep what they have compiled (on Linux).
            let folder = &self.cold_caches;
            if folder.exists() {
                fs::remove_dir_all(folder)
                    .with_context(|| format!("cannot empty {}", folder.display()))?;
            }
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
            for name in [
                "XDG_CACHE_HOME",
                "MESA_SHADER_CACHE_DIR",
                "__GL_SHADER_DISK_CACHE_PATH",
                "CUDA_CACHE_PATH",
                "TORCHINDUCTOR_CACHE_DIR",
                "TRITON_CACHE_DIR",
            ] {
                command.env(name, folder);
            }
        }
        Contestant::start(&mut command, &self.log)
    }
}

fn is_cold(work: Work) -> bool {
    matches!(work, Work::Start { cold: true, .. })
}

fn compare(cli: &Cli) -> Result<()> {
    let works = work::select(&cli.only)?;
    let device = Device::open(cli.adapter.as_deref())?;
    let (adapter, software) = (device.name().to_owned(), device.is_software());
    drop(device); // contestants open their own
    let peers = Peers::find(software);

    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let target = fs::create_dir_all(&target)
        .and_then(|()| target.canonicalize())
        .with_context(|| format!("cannot make {}", target.display()))?;
    let file = |name: &str| -> PathBuf { target.join(name) };
    let log = File::create(file("peers.log")).context("cannot write target/peers.log")?;
    let arena = Arena {
        adapter: cli.adapter.clone(),
        software,
        log,
        cold_caches: file("peers-cold"),
    };
    let mut report = Report {
        adapter,
        rows: vec![],
    };

    println!("adapter: {}", report.adapter);
    peers.notes().iter().for_each(|note| println!("{note}"));
    println!("\n{HEAD}");
    for (name, work) in works {
        let wanted = |peer: &String| cli.peer.iter().any(|p| peer.starts_with(p.as_str()));
        let mut names = peers.of(work);
        names.retain(|peer| cli.peer.is_empty() || wanted(peer));
        if names.is_empty() {
            println!("{name:24} no peer does it here");
            continue;
        }
        let starts = matches!(work, Work::Start { .. });
        let mut ours = match starts {
            true => None, // anew for each turn
            false => Some(arena.start(OURS, work)),
        };
        for peer in names {
            let mut row = Row::new(name, &peer);
            let outcome = match &mut ours {
                None => starting(&mut row, &arena, work, cli.quick),
                Some(Ok(ours)) => beside(&mut row, ours, arena.start(&peer, work), cli.quick),
                Some(Err(reason)) => Err(anyhow::anyhow!("ours: {reason:#}")),
            };
            println!("{}", row.line(work));
            if let Err(reason) = outcome {
                println!("{:24} {reason:#}", "");
            }
            report.rows.push(row);
            report.save(&file("peers.json"))?; // a run that is cut short leaves what it has
        }
    }
    report.save(&file("peers.json"))?;
    println!("\nwritten: {}", file("peers.json").display());
    Ok(())
}

/// Lets ours and a peer run in turns and fills the row, ours also where the peer fails.
fn beside(
    row: &mut Row,
    ours: &mut Contestant,
    mut peer: Result<Contestant>,
    quick: bool,
) -> Result<()> {
    let (least, most, enough) = match quick {
        true => (1, 5, Duration::from_secs(2)),
        false => (3, 25, Duration::from_secs(15)),
    };
    // A moment for the other's threads, which wait busily for more work before they sleep.
    let pause = || thread::sleep(Duration::from_millis(20));
    let (mut our_times, mut peer_times) = (vec![], vec![]);
    let begin = Instant::now();
    while our_times.len() < least || our_times.len() < most && begin.elapsed() < enough {
        pause();
        our_times.push(ours.run().context("ours")?);
        pause();
        match peer.as_mut().map(Contestant::run) {
            Ok(Ok(seconds)) => peer_times.push(seconds),
            Ok(Err(reason)) => peer = Err(reason),
            Err(_) => {}
        }
    }
    let ours_s = median(&mut our_times);
    row.ours_s = Some(ours_s);
    row.ours_peak_bytes = ours.peak().context("ours")?;
    row.peer_peak_bytes = peer?.peak()?;
    let peer_s = median(&mut peer_times);
    row.peer_s = Some(peer_s);
    row.ratio = Some(ours_s / peer_s);
    Ok(())
}

/// Starts ours and a peer in turns, once each beforehand, and fills the row with the time until each
/// has its first result; ours also where the peer fails.
fn starting(row: &mut Row, arena: &Arena, work: Work, quick: bool) -> Result<()> {
    let count = if quick { 1 } else { 5 };
    let first_result = |name: &str| -> Result<f64> {
        let contestant = arena.start(name, work)?;
        let seconds = contestant.start_up.as_secs_f64();
        contestant.see_off()?;
        let kept =
            || fs::read_dir(&arena.cold_caches).is_ok_and(|mut files| files.next().is_some());
        if is_cold(work) && name == OURS && !kept() {
            bail!("nothing was kept where caches were sent: this start may not have been cold");
        }
        Ok(seconds)
    };
    let (mut our_times, mut peer_times) = (vec![], vec![]);
    let mut peer = Ok(());
    for turn in 0..=count {
        let counts = turn > 0; // before, files were not yet in the system's memory
        let seconds = first_result(OURS).context("ours")?;
        our_times.extend(counts.then_some(seconds));
        if peer.is_ok() {
            let outcome = first_result(&row.peer);
            peer = outcome.map(|seconds| peer_times.extend(counts.then_some(seconds)));
        }
    }
    let ours_s = median(&mut our_times);
    row.ours_s = Some(ours_s);
    peer?;
    let peer_s = median(&mut peer_times);
    row.peer_s = Some(peer_s);
    row.ratio = Some(ours_s / peer_s);
    Ok(())
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    let half = times.len() / 2;
    match times.len() % 2 {
        0 => (times[half - 1] + times[half]) / 2.0,
        _ => times[half],
    }
}
