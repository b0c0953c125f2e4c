//! `datasets`: what is trained on, and what is scored.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::keys::{Keys, Section, Want};
use super::values::Choice;
use crate::data::{Backend, Degrade, Paired};

/// `datasets`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Datasets {
    /// `train`.
    pub train: Option<TrainSet>,
    /// The others in the order of the file, each with its key: `val`, `val_0`, `test_1` …
    pub scored: Vec<(String, ScoredSet)>,
}

/// What is trained on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainSet {
    /// What it is called in lines and reports.
    pub name: String,
    /// Where its images come from.
    pub images: Images,
    /// Side of the high-resolution crop: a multiple of the scale.
    pub gt_size: usize,
    /// Whether crops are flipped at random [as BasicSR's `augment`: true].
    pub use_hflip: bool,
    /// Whether crops are turned by 90° at random [as BasicSR's `augment`: true].
    pub use_rot: bool,
    /// Whether images come in a random order. They do in any case, as in BasicSR, whose sampler does not
    /// read this key.
    pub use_shuffle: bool,
    /// Pairs in a step and process; times the number of processes it is the batch.
    pub batch_size_per_gpu: usize,
    /// So many times the set is gone through in an epoch [1, as in BasicSR's `train.py`].
    pub dataset_enlarge_ratio: u64,
    /// Threads that read and cut; None: as many as there are to spare. It changes no bit.
    pub num_worker_per_gpu: Option<usize>,
    /// How the low-resolution side is made worse, `jpeg=60..95,noise=0..8,blur=0..1.2`; not BasicSR's.
    pub degrade: Option<String>,
    /// Whether some images are not trained on but judged by, before the first step and on the way: one in
    /// twenty, two to ten [false]; not BasicSR's.
    pub hold_out: bool,
}

/// Where training images come from: `type` and what goes with it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum Images {
    /// `PairedImageDataset`.
    Paired(Paired),
    /// `Folder`: all images in `dataroot_gt` and below, or a set in BasicSR's layout; not BasicSR's.
    Folder(PathBuf),
    /// `DeadLeaves`: generated scenes; not BasicSR's.
    #[default]
    DeadLeaves,
}

/// What is scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoredSet {
    /// `Set5`, …
    pub name: String,
    /// Where its pairs are.
    pub pairs: Paired,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Type {
    PairedImageDataset,
    Folder,
    DeadLeaves,
}

impl Choice for Type {}
impl Choice for Backend {}

const NAME: Want<String> = Want {
    text: "a name",
    holds: |name| !name.is_empty(),
};
const ROOT: Want<PathBuf> = Want::any("a folder");
const SIDE: Want<usize> = Want {
    text: "the side of a crop in pixels, up to 16384",
    holds: |side| (1..=16384).contains(side),
};
const BATCH: Want<usize> = Want {
    text: "a number of pairs, from 1 to 4096",
    holds: |batch| (1..=4096).contains(batch),
};
const TIMES: Want<u64> = Want {
    text: "a whole number from 1 on",
    holds: |times| *times >= 1,
};
const WORKERS: Want<Option<usize>> = Want {
    text: "a number of threads up to 256",
    holds: |workers| workers.is_none_or(|n| n <= 256),
};
const SWITCH: Want<bool> = Want::any("true or false");
const DEGRADE: Want<Option<String>> = Want {
    text: "a list like jpeg=60..95,noise=0..8,blur=0..1.2",
    holds: |list| {
        list.as_ref()
            .is_none_or(|list| list.parse::<Degrade>().is_ok())
    },
};

impl Section for Datasets {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        keys.optional("train", &mut self.train);
        keys.named(&mut self.scored, &["val", "test"]);
    }
}

impl Section for TrainSet {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        keys.key("name", &mut self.name, None, &NAME);
        let mut kind = match self.images {
            Images::Paired(_) => Type::PairedImageDataset,
            Images::Folder(_) => Type::Folder,
            Images::DeadLeaves => Type::DeadLeaves,
        };
        let kinds = Want::any("PairedImageDataset, Folder or DeadLeaves");
        keys.key("type", &mut kind, None, &kinds);
        if K::READING {
            self.images = match kind {
                Type::PairedImageDataset => Images::Paired(no_pairs()),
                Type::Folder => Images::Folder(PathBuf::new()),
                Type::DeadLeaves => Images::DeadLeaves,
            };
        }
        if !keys.sound("type") {
            // Not to call unknown what goes with a type that was meant.
            self.images = Images::Paired(no_pairs());
        }
        match &mut self.images {
            Images::Paired(pairs) => paired(pairs, keys),
            Images::Folder(root) => {
                keys.key("dataroot_gt", root, None, &ROOT);
                unpaired(
                    keys,
                    "of a Folder all images are taken, and the low-resolution side is made",
                );
            }
            Images::DeadLeaves => {
                let made = "scenes are generated, both sides";
                keys.idle("dataroot_gt", made);
                unpaired(keys, made);
            }
        }
        keys.key("gt_size", &mut self.gt_size, None, &SIDE);
        keys.key("use_hflip", &mut self.use_hflip, Some(true), &SWITCH);
        keys.key("use_rot", &mut self.use_rot, Some(true), &SWITCH);
        keys.key("use_shuffle", &mut self.use_shuffle, Some(true), &SWITCH);
        if !self.use_shuffle {
            let does =
                "does nothing here: images come in a random order in any case, as in BasicSR";
            keys.remark("use_shuffle", does);
        }
        keys.key(
            "batch_size_per_gpu",
            &mut self.batch_size_per_gpu,
            None,
            &BATCH,
        );
        let ratio = &mut self.dataset_enlarge_ratio;
        keys.key("dataset_enlarge_ratio", ratio, Some(1), &TIMES);
        let workers = &mut self.num_worker_per_gpu;
        keys.key("num_worker_per_gpu", workers, Some(None), &WORKERS);
        keys.key("degrade", &mut self.degrade, Some(None), &DEGRADE);
        keys.key("hold_out", &mut self.hold_out, Some(false), &SWITCH);
        loading(keys);
    }
}

impl Default for ScoredSet {
    fn default() -> Self {
        ScoredSet {
            name: String::new(),
            pairs: no_pairs(),
        }
    }
}

impl Section for ScoredSet {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        keys.key("name", &mut self.name, None, &NAME);
        let kinds = Want {
            text: "PairedImageDataset",
            holds: |kind: &Type| *kind == Type::PairedImageDataset,
        };
        keys.key("type", &mut Type::PairedImageDataset, None, &kinds);
        paired(&mut self.pairs, keys);
        let whole = "a set that is scored is taken whole, an image at a time";
        for name in ["gt_size", "use_hflip", "use_rot", "use_shuffle"] {
            keys.idle(name, whole);
        }
        for name in ["batch_size_per_gpu", "num_worker_per_gpu"] {
            keys.idle(name, whole);
        }
        loading(keys);
    }
}

/// Nothing yet.
fn no_pairs() -> Paired {
    Paired {
        gt: PathBuf::new(),
        lq: None,
        template: String::new(),
        meta_info: None,
        backend: Backend::Disk,
    }
}

/// `io_backend`.
struct Storage(Backend);

impl Section for Storage {
    fn keys<K: Keys>(&mut self, keys: &mut K) {
        let kinds = Want::any("disk or lmdb");
        keys.key("type", &mut self.0, Some(Backend::Disk), &kinds);
        for name in ["db_paths", "client_keys"] {
            keys.idle(name, "they follow from dataroot_gt and dataroot_lq");
        }
    }
}

/// The keys of BasicSR's `PairedImageDataset`.
fn paired<K: Keys>(pairs: &mut Paired, keys: &mut K) {
    let folders = Want::any("a folder, or ~");
    let template = Want {
        text: "a name with {} in it once, like '{}x2'",
        holds: |template: &String| template.matches("{}").count() == 1,
    };
    keys.key("dataroot_gt", &mut pairs.gt, None, &ROOT);
    keys.key("dataroot_lq", &mut pairs.lq, Some(None), &folders);
    let name = Some("{}".to_owned());
    keys.key("filename_tmpl", &mut pairs.template, name, &template);
    keys.renamed("meta_info", "meta_info_file");
    let list = Want::any("a file, or ~");
    keys.key("meta_info_file", &mut pairs.meta_info, Some(None), &list);
    let mut storage = Storage(pairs.backend);
    keys.section("io_backend", &mut storage);
    pairs.backend = storage.0;
    if pairs.backend == Backend::Lmdb {
        let roots = [
            ("dataroot_gt", Some(&pairs.gt)),
            ("dataroot_lq", pairs.lq.as_ref()),
        ];
        for (name, root) in roots {
            if root.is_some_and(|root| root.extension().is_none_or(|end| end != "lmdb")) {
                keys.fault(name, "does not end in .lmdb, and io_backend.type is lmdb");
            }
        }
    }
    let task = Want {
        text: "SR",
        holds: |task: &Option<String>| task.as_deref().is_none_or(|task| task == "SR"),
    };
    if K::READING {
        keys.key("task", &mut None, Some(None), &task);
    }
    let range = "the network takes images as they are, from 0 to 1";
    keys.foreign("mean", range);
    keys.foreign("std", range);
    keys.foreign("color", "images are RGB, and Y is what is scored");
}

/// The keys of pairs, which may stay in the file where the type is another.
fn unpaired<K: Keys>(keys: &mut K, why: &str) {
    keys.renamed("meta_info", "meta_info_file");
    let of_pairs = ["dataroot_lq", "filename_tmpl", "meta_info_file"];
    for name in of_pairs.into_iter().chain(["io_backend", "task"]) {
        keys.idle(name, why);
    }
}

/// BasicSR's keys of how a loader works, which change no batch.
fn loading<K: Keys>(keys: &mut K) {
    keys.idle(
        "prefetch_mode",
        "batches are made ahead of the adapter in any case",
    );
    keys.idle(
        "num_prefetch_queue",
        "batches are made ahead of the adapter in any case",
    );
    keys.idle("pin_memory", "the driver's own memory is written to");
    keys.idle("persistent_workers", "threads stay for the whole run");
}
