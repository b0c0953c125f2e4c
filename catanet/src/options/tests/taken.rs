//! What is taken without being there as it is written, and what goes unsaid.

use super::*;

#[test]
fn numbers_nothing_and_switches_are_those_of_yaml_1_1() {
    let lr = |text: &str| {
        options(EVERY_KEY, &[("train.optim_g.lr", text)])
            .train
            .expect("there")
            .optim_g
            .lr
    };
    for text in [
        "2e-4",
        "2E-4",
        "!!float 2e-4",
        "0.0002",
        "2.0e-4",
        "+2e-4",
        "'2e-4'",
        "2_0e-5",
        ".0002",
    ] {
        assert_eq!(lr(text), 2e-4, "{text}");
    }
    let freq = |text: &str| {
        options(EVERY_KEY, &[("logger.print_freq", text)])
            .logger
            .print_freq
    };
    for text in [
        "5000",
        "!!float 5e3",
        "5e3",
        "5000.0",
        "5_000",
        "!!int 5000",
    ] {
        assert_eq!(freq(text), 5000, "{text}");
    }
    for text in ["~", "null", "", "NULL"] {
        assert_eq!(
            options(EVERY_KEY, &[("path:resume_state", text)])
                .path
                .resume_state,
            None
        );
    }
    for (text, value) in [
        ("yes", true),
        ("On", true),
        ("TRUE", true),
        ("off", false),
        ("No", false),
    ] {
        assert_eq!(
            options(EVERY_KEY, &[("val.save_img", text)])
                .val
                .expect("there")
                .save_img,
            value
        );
    }
    // Texts that look like numbers are names still.
    assert_eq!(options(EVERY_KEY, &[("name", "007")]).name, "007");
}

#[test]
fn older_names_and_absent_keys_are_basicsrs() {
    let text = "\
name: least
scale: 2
datasets:
  train:
    name: T
    type: PairedImageDataset
    dataroot_gt: a
    gt_size: 64
    batch_size_per_gpu: 1
network_g: {type: CATANet, upscale: 2}
path: {pretrain_model_g: w.pth, strict_load: false, param_key: params}
train:
  optim_g: {type: Adam}
  scheduler: {type: MultiStepLR, milestones: [4]}
  niter: 8
  pixel_opt: {type: L1Loss}
";
    let least = options(text, &[]);
    let train = least.train.expect("there");
    assert_eq!(least.path.pretrain_network_g, Some("w.pth".into()));
    assert_eq!(
        (least.path.strict_load_g, least.path.param_key_g),
        (false, Some("params".into()))
    );
    let adam = Optimizer {
        kind: OptimizerKind::Adam,
        lr: 1e-3,
        weight_decay: 0.0,
        betas: [0.9, 0.999],
        eps: 1e-8,
    };
    assert_eq!(train.optim_g, adam);
    let steps = Scheduler::MultiStep {
        milestones: vec![4],
        gamma: 0.1,
        restarts: vec![0],
        restart_weights: vec![1.0],
    };
    assert_eq!(train.scheduler, steps);
    let rest = (
        train.total_iter,
        train.warmup_iter,
        train.ema_decay,
        train.grad_clip,
        train.pixel_opt.eps,
    );
    assert_eq!(rest, (8, 0, 0.0, None, 1e-12));
    assert_eq!(
        (least.manual_seed, least.num_gpu, least.val),
        (None, NumGpu::Auto, None)
    );
    let set = least.datasets.train.expect("there");
    assert_eq!(
        (set.use_hflip, set.use_rot, set.dataset_enlarge_ratio),
        (true, true, 1)
    );
    let decay = options(text, &[("train.optim_g.type", "AdamW")])
        .train
        .expect("there")
        .optim_g
        .weight_decay;
    assert_eq!(decay, 0.01);
    // Of the network the default is 4.
    let told = faults(&text.replace(", upscale: 2", ""), &[]);
    assert_eq!(
        told,
        ["o.yml:10: network_g.upscale is 4, and scale is 2; the two are to be equal"]
    );
}

#[test]
fn every_key_of_a_training_stands_in_the_template() {
    for scale in 2..=4 {
        let template = Options::template(scale);
        let made = options(&template, &[]);
        assert_eq!(made.scale, scale);
        for (_, path, key) in keys_of(&made.to_yaml()) {
            let written = template.contains(&format!("{key}:"));
            let left = [
                "results_root",
                "restarts",
                "restart_weights",
                "eps",
                "suffix",
                "pbar",
                "better",
                "use_shuffle",
                "num_worker_per_gpu",
            ];
            assert!(written || left.contains(&&*key), "{path}.{key}");
        }
        // In what is read here and by PyYAML, no line is wider than a terminal is.
        let widest = template.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(120), "{widest:?}");
    }
}
