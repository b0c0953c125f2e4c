//! Who there is on this machine to be measured beside.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::work::Work;

/// The folder of the Python files.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// What `torch_worker.py probe` tells.
#[derive(Deserialize)]
struct Torch {
    version: String,
    cuda: Option<String>, // the GPU's name
    compiler: bool,
}

/// The peers of this machine.
pub struct Peers {
    software: bool,
    torch: Vec<String>,
    notes: Vec<String>,
}

impl Peers {
    /// Looks who there is: on a software driver (`software`) those that run on the processor.
    pub fn find(software: bool) -> Peers {
        let mut peers = Peers {
            software,
            torch: vec![],
            notes: vec![],
        };
        match probe() {
            Ok(torch) => peers.add_torch(&torch),
            Err(reason) => peers.notes.push(format!(
                "no PyTorch, so its rows are missing: {reason} (PYTHON=… names another python3)"
            )),
        }
        if !cfg!(feature = "burn") {
            let note = "built without burn, so its rows are missing";
            peers.notes.push(note.to_owned());
        }
        peers
    }

    fn add_torch(&mut self, torch: &Torch) {
        let gpu = torch.cuda.as_ref().filter(|_| !self.software);
        let on = gpu.map_or("the processor", String::as_str);
        self.notes
            .push(format!("PyTorch {} on {on}", torch.version));
        let devices: &[&str] = match gpu {
            Some(_) => &["cuda-fp32", "cuda-tf32", "cuda-fp16"],
            None => &["cpu"],
        };
        for device in devices {
            self.torch.push(format!("torch-{device}-eager"));
            if torch.compiler {
                self.torch.push(format!("torch-{device}-compile"));
            }
            if torch.compiler && gpu.is_some() {
                self.torch.push(format!("torch-{device}-graphs"));
            }
        }
        if !torch.compiler {
            let note = "torch.compile is left out: no C++ compiler (g++, clang++ or CXX) is found";
            self.notes.push(note.to_owned());
        }
    }

    /// What is to be said about them before the table.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Those that do `work`. A kernel is compiled as it is; graphs hold forward passes only, and are
    /// recorded after the first, which is all that a start has.
    pub fn of(&self, work: Work) -> Vec<String> {
        let does = |peer: &&String| match work {
            Work::Forward { .. } => true,
            Work::Train { .. } | Work::Start { .. } => !peer.ends_with("-graphs"),
            _ => peer.ends_with("-eager"),
        };
        let mut peers: Vec<_> = self.torch.iter().filter(does).cloned().collect();
        if cfg!(feature = "burn") && work.is_kernel() {
            peers.push(BURN.to_owned());
        }
        peers
    }
}

/// burn's name among the peers.
pub const BURN: &str = "burn-wgpu";

/// Runs torch_worker.py.
pub fn torch_worker() -> Command {
    let python = std::env::var_os("PYTHON").filter(|p| !p.is_empty());
    let mut command = Command::new(python.unwrap_or_else(|| OsString::from("python3")));
    command.arg(Path::new(HERE).join("torch_worker.py"));
    command
}

fn probe() -> Result<Torch, String> {
    let output = torch_worker()
        .arg("probe")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("python3 does not start: {e}"))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.trim().lines().last().unwrap_or("it says nothing");
        last.to_owned()
    })
}
