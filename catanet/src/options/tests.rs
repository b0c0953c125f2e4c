mod refused;
mod taken;

use super::*;
use crate::metrics::{Measure, Metric};

/// A file with every key that does something, none at its default.
const EVERY_KEY: &str = "\
name: all_of_it
model_type: SRModel
scale: 3
num_gpu: 1
manual_seed: 12
datasets:
  train:
    task: SR
    name: Towns
    type: PairedImageDataset
    dataroot_gt: d/towns/full
    dataroot_lq: d/towns/small
    filename_tmpl: '{}_s3'
    meta_info_file: d/towns/list.txt
    io_backend: {type: disk}
    gt_size: 96
    use_hflip: no
    use_rot: false
    use_shuffle: true
    num_worker_per_gpu: 3
    batch_size_per_gpu: 5
    dataset_enlarge_ratio: 7
    degrade: jpeg=70..90
    hold_out: true
  val_first:
    name: Trees
    type: PairedImageDataset
    dataroot_gt: d/trees.lmdb
    dataroot_lq: d/trees_s3.lmdb
    io_backend: {type: lmdb}
  test_2:
    name: Faces
    type: PairedImageDataset
    dataroot_gt: d/faces
network_g:
  type: CATANet
  upscale: 3
  in_chans: 3
  n_iters: [5, 5, 5, 5, 5, 5, 5, 5]
  num_tokens: [16, 32, 64, 128, 16, 32, 64, 128]
  group_size: [256, 128, 64, 32, 256, 128, 64, 32]
path:
  pretrain_network_g: w/start.pth
  param_key_g: params_ema
  strict_load_g: false
  resume_state: runs/9.state
  experiments_root: runs/a
  results_root: out/b
train:
  optim_g:
    type: AdamW
    lr: 3e-4
    weight_decay: !!float 1e-3
    betas: [0.8, 0.95]
    eps: 1.0e-7
  scheduler:
    type: CosineAnnealingRestartLR
    periods: [600, 500]
    restart_weights: [1, 0.5]
    eta_min: !!float 1e-7
  total_iter: 1_000
  warmup_iter: 20
  ema_decay: 0.99
  use_grad_clip: true
  grad_clip_norm: 0.5
  pixel_opt:
    type: CharbonnierLoss
    loss_weight: 2
    reduction: sum
    eps: 1e-6
  on_nan: rollback
  checkpoint_activations: true
val:
  val_freq: !!float 5e2
  save_img: true
  suffix: tried
  pbar: true
  metrics:
    on colours:
      type: calculate_psnr
      crop_border: 3
      test_y_channel: false
      input_order: HWC
      better: lower
    s:
      type: calculate_ssim_pt
      crop_border: 0
      test_y_channel: true
logger:
  print_freq: 50
  save_checkpoint_freq: 250
  use_tb_logger: true
  keep: 4
  save_every: 30s
  pth: true
";

fn changed(text: &str, set: &[(&str, &str)]) -> Result<(Options, Vec<String>)> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let set: Vec<_> = set.iter().map(owned).collect();
    Options::parse(text, Path::new("o.yml"), &set)
}

#[track_caller]
fn faults(text: &str, set: &[(&str, &str)]) -> Vec<String> {
    match changed(text, set) {
        Err(Error::WrongOptions { faults }) => faults,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn options(text: &str, set: &[(&str, &str)]) -> Options {
    changed(text, set).expect("sound").0
}

/// The lines of a file whose key is at the end of a path: number from 1, path without the key, key.
fn keys_of(text: &str) -> Vec<(usize, String, String)> {
    let mut path: Vec<&str> = Vec::new();
    let mut keys = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some((key, _)) = line.trim_start().split_once(':') else {
            continue;
        };
        path.truncate(indent / 2);
        keys.push((i + 1, path.join("."), key.to_owned()));
        path.push(key);
    }
    keys
}

#[test]
fn every_key_says_what_it_says() {
    let (all, notes) = changed(EVERY_KEY, &[]).expect("sound");
    assert!(notes.is_empty(), "{notes:?}");
    let general = (
        &*all.name,
        all.model_type,
        all.scale,
        all.num_gpu,
        all.manual_seed,
    );
    let expected = (
        "all_of_it",
        ModelType::SRModel,
        3,
        NumGpu::Count(1),
        Some(12),
    );
    assert_eq!(general, expected);
    let towns = crate::data::Paired {
        gt: "d/towns/full".into(),
        lq: Some("d/towns/small".into()),
        template: "{}_s3".into(),
        meta_info: Some("d/towns/list.txt".into()),
        backend: crate::data::Backend::Disk,
    };
    let train = TrainSet {
        name: "Towns".into(),
        images: Images::Paired(towns),
        gt_size: 96,
        use_hflip: false,
        use_rot: false,
        use_shuffle: true,
        batch_size_per_gpu: 5,
        dataset_enlarge_ratio: 7,
        num_worker_per_gpu: Some(3),
        degrade: Some("jpeg=70..90".into()),
        hold_out: true,
    };
    assert_eq!(all.datasets.train, Some(train));
    let scored = &all.datasets.scored;
    assert_eq!((&*scored[0].0, &*scored[1].0), ("val_first", "test_2"));
    assert_eq!(scored[0].1.pairs.backend, crate::data::Backend::Lmdb);
    assert_eq!(
        (&*scored[1].1.pairs.template, &scored[1].1.pairs.lq),
        ("{}", &None)
    );
    let paths = Paths {
        pretrain_network_g: Some("w/start.pth".into()),
        param_key_g: Some("params_ema".into()),
        strict_load_g: false,
        resume_state: Some("runs/9.state".into()),
        experiments_root: Some("runs/a".into()),
        results_root: Some("out/b".into()),
    };
    assert_eq!(all.path, paths);
    let train = Training {
        optim_g: Optimizer {
            kind: OptimizerKind::AdamW,
            lr: 3e-4,
            weight_decay: 1e-3,
            betas: [0.8, 0.95],
            eps: 1e-7,
        },
        scheduler: Scheduler::CosineAnnealing {
            periods: vec![600, 500],
            restart_weights: vec![1.0, 0.5],
            eta_min: 1e-7,
        },
        total_iter: 1000,
        warmup_iter: 20,
        ema_decay: 0.99,
        grad_clip: Some(0.5),
        pixel_opt: PixelLoss {
            kind: LossKind::CharbonnierLoss,
            loss_weight: 2.0,
            reduction: Reduction::Sum,
            eps: 1e-6,
        },
        on_nan: OnNan::Rollback,
        checkpoint_activations: true,
    };
    assert_eq!(all.train, Some(train));
    let metric = |measure, crop_border, test_y_channel, better| Measured {
        metric: Metric {
            measure,
            crop_border,
            test_y_channel,
        },
        better,
    };
    let val = Validation {
        val_freq: Some(500),
        save_img: true,
        suffix: Some("tried".into()),
        pbar: true,
        metrics: vec![
            (
                "on colours".into(),
                metric(Measure::Psnr, 3, false, Better::Lower),
            ),
            ("s".into(), metric(Measure::SsimPt, 0, true, Better::Higher)),
        ],
    };
    assert_eq!(all.val, Some(val));
    let logger = Logger {
        print_freq: 50,
        save_checkpoint_freq: 250,
        use_tb_logger: true,
        keep: Some(4),
        save_every: Some(SaveEvery::Seconds(30.0)),
        pth: true,
    };
    assert_eq!(all.logger, logger);
}

#[test]
fn what_is_written_is_read_as_the_same_options() {
    let sets: [&[(&str, &str)]; 4] = [
        &[(
            "train.scheduler",
            "{type: MultiStepRestartLR, milestones: [5], restarts: [0], restart_weights: [0.5]}",
        )],
        &[("datasets.train.type", "Folder")],
        &[
            ("name", "'no'"),
            ("val.suffix", "\"a: #b \\\" é\""),
            ("logger.save_every", "500"),
        ],
        &[
            ("train.use_grad_clip", "false"),
            ("train.pixel_opt.type", "L1Loss"),
        ],
    ];
    let mut files = vec![options(EVERY_KEY, &[])];
    files.extend((2..=4).map(|scale| options(&Options::template(scale), &[])));
    // What goes with the one type is none of the other's.
    let mut text = EVERY_KEY.to_owned();
    for key in [
        "dataroot_lq: d/towns",
        "filename_tmpl: '{}_s3'",
        "meta_info",
        "io_backend: {type: disk}",
        "task",
        "    eps: 1e-6",
    ] {
        let at = text.find(key).expect("there");
        let end = at + text[at..].find('\n').expect("a line");
        text.replace_range(at..end, "");
    }
    files.push(options(&text, sets[1]));
    files.push(options(&text, sets[3]));
    files.push(options(EVERY_KEY, sets[0]));
    files.push(options(EVERY_KEY, sets[2]));
    for before in files {
        let text = before.to_yaml();
        let (after, notes) = changed(&text, &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(after, before, "{text}");
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(after.to_yaml(), text);
        let json = serde_json::to_string(&before).expect("a JSON form");
        assert_eq!(
            serde_json::from_str::<Options>(&json).expect("read"),
            before
        );
    }
}
