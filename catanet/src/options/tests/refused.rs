//! What is not followed, and how it is told.

use std::collections::BTreeSet;

use super::{EVERY_KEY, changed, faults, keys_of, options};

/// Keys that do nothing or belong to others, in the sections where BasicSR and its like have them.
const IDLE: [(&str, &str); 22] = [
    ("", "dist_params"),
    ("", "find_unused_parameters"),
    ("", "use_amp"),
    ("datasets.train", "prefetch_mode"),
    ("datasets.train", "num_prefetch_queue"),
    ("datasets.train", "pin_memory"),
    ("datasets.train", "persistent_workers"),
    ("datasets.train.io_backend", "db_paths"),
    ("datasets.train.io_backend", "client_keys"),
    ("datasets.test_2", "gt_size"),
    ("datasets.test_2", "use_hflip"),
    ("datasets.test_2", "use_rot"),
    ("datasets.test_2", "use_shuffle"),
    ("datasets.test_2", "batch_size_per_gpu"),
    ("datasets.test_2", "num_worker_per_gpu"),
    ("datasets.test_2", "pin_memory"),
    ("path", "ignore_resume_networks"),
    ("train", "net_d_iters"),
    ("train.optim_g", "foreach"),
    ("val", "use_image"),
    ("val", "window_size"),
    ("logger", "wandb"),
];

#[test]
fn a_misspelt_key_is_refused_with_its_line_and_the_one_that_was_meant() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    // Names of sets and metrics are the user's.
    let chosen = ["datasets.test_2", "val.metrics.on colours", "val.metrics.s"];
    let keys = keys_of(EVERY_KEY);
    for (line, path, key) in &keys {
        let full = format!("{path}.{key}");
        if chosen.contains(&full.as_str()) || full == "datasets.val_first" {
            continue;
        }
        known.insert(key.clone());
        let lines: Vec<_> = EVERY_KEY.lines().collect();
        let swapped = || {
            let mut c: Vec<char> = key.chars().collect();
            let last = c.len() - 1;
            c.swap(last - 1, last);
            c.into_iter().collect::<String>()
        };
        let ends = [
            format!("{key}{}", &key[key.len() - 1..]),
            key[..key.len() - 1].to_owned(),
            swapped(),
        ];
        // What is left of a short name may be nearer to another.
        let count = if key.len() > 4 { 3 } else { 1 };
        for wrong in ends.iter().take(count).filter(|wrong| *wrong != key) {
            let wrong_line = lines[line - 1].replacen(key.as_str(), wrong, 1);
            let mut text = lines.clone();
            text[line - 1] = &wrong_line;
            let path = if path.is_empty() {
                String::new()
            } else {
                format!("{path}.")
            };
            let expected =
                format!("o.yml:{line}: {path}{wrong} is no key here; did you mean {key}?");
            let told = faults(&text.join("\n"), &[]);
            assert!(told.contains(&expected), "{expected}\n{told:#?}");
            let missing = format!("{path}{key} is missing");
            assert!(!told.iter().any(|t| t.contains(&missing)), "{told:#?}");
            let change = [(&*format!("{path}{wrong}"), "1")];
            let told = faults(EVERY_KEY, &change);
            let expected = format!("--set: {path}{wrong} is no key here; did you mean {key}?");
            assert_eq!(told, [expected]);
        }
    }
    assert!(known.len() > 60, "{known:?}");
    // The same of keys that do nothing.
    for (path, key) in IDLE {
        let dot = if path.is_empty() { "" } else { "." };
        let wrong = format!("{path}{dot}{key}x");
        let told = faults(EVERY_KEY, &[(&wrong, "1")]);
        assert_eq!(
            told,
            [format!(
                "--set: {wrong} is no key here; did you mean {key}?"
            )]
        );
    }
}

#[test]
fn a_key_that_does_nothing_is_told_with_its_line() {
    for (path, key) in IDLE {
        let dot = if path.is_empty() { "" } else { "." };
        let full = format!("{path}{dot}{key}");
        let (_, notes) = changed(EVERY_KEY, &[(&full, "{a: [1, x]}")]).expect("taken");
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(
            notes[0].starts_with(&format!("--set: {full} does nothing here: ")),
            "{notes:?}"
        );
    }
    let text = EVERY_KEY.replace("num_gpu: 1", "num_gpu: auto");
    let text = text.replace("use_shuffle: true", "use_shuffle: false");
    let (_, notes) = changed(&text, &[]).expect("taken");
    assert_eq!(notes.len(), 2);
    assert!(
        notes[0].starts_with("o.yml:4: num_gpu does nothing here"),
        "{notes:?}"
    );
    assert!(
        notes[1].starts_with("o.yml:19: datasets.train.use_shuffle does nothing"),
        "{notes:?}"
    );
}

#[test]
fn wrong_values_are_refused_with_line_key_value_and_what_is_wanted() {
    for (key, value, words) in [
        ("scale", "5", "1, 2, 3 or 4"),
        ("scale", "two", "1, 2, 3 or 4"),
        ("name", "a/b", "folder"),
        ("name", "~", "folder"),
        ("model_type", "ESRGANModel", "CATANetModel"),
        ("num_gpu", "many", "auto"),
        ("manual_seed", "-1", "whole"),
        ("manual_seed", "010", "whole"),
        ("datasets.train.type", "FFHQDataset", "PairedImageDataset"),
        ("datasets.train.gt_size", "0", "side"),
        ("datasets.train.gt_size", "96.5", "side"),
        ("datasets.train.use_hflip", "'true'", "true or false"),
        ("datasets.train.use_rot", "1", "true or false"),
        ("datasets.train.batch_size_per_gpu", "0", "4096"),
        ("datasets.train.batch_size_per_gpu", "!!str x", "4096"),
        ("datasets.train.filename_tmpl", "x3", "{}"),
        (
            "datasets.train.io_backend.type",
            "memcached",
            "disk or lmdb",
        ),
        ("datasets.train.task", "CAR", "SR"),
        ("network_g.type", "SwinIR", "CATANet"),
        ("network_g.n_iters", "[5, 5]", "as published"),
        ("network_g.num_tokens", "[16]", "as published"),
        ("network_g.group_size", "[]", "as published"),
        ("network_g.in_chans", "1", "as published"),
        ("path.strict_load_g", "maybe", "true or false"),
        ("train.optim_g.type", "SGD", "Adam or AdamW"),
        ("train.optim_g.lr", "fast", "above 0"),
        ("train.optim_g.lr", "-1e-4", "above 0"),
        ("train.optim_g.lr", ".inf", "above 0"),
        ("train.optim_g.lr", ".nan", "above 0"),
        ("train.optim_g.lr", "infinity", "above 0"),
        ("train.optim_g.lr", "[1]", "above 0"),
        ("train.optim_g.betas", "[0.9]", "two numbers"),
        ("train.optim_g.betas", "[0.9, 1]", "two numbers"),
        ("train.scheduler.type", "StepLR", "CosineAnnealingRestartLR"),
        ("train.scheduler.periods", "[0]", "from 1 on"),
        ("train.total_iter", "0", "from 1 on"),
        ("train.total_iter", "2.5", "from 1 on"),
        ("train.warmup_iter", "-2", "-1 for none"),
        ("train.ema_decay", "1", "below 1"),
        ("train.grad_clip_norm", "0", "above 0"),
        ("train.pixel_opt.type", "GANLoss", "L1Loss"),
        ("train.pixel_opt.reduction", "none", "mean or sum"),
        ("train.on_nan", "ignore", "stop or rollback"),
        ("val.val_freq", "0", "from 1 on"),
        ("val.suffix", "a/b", "part of a file's name"),
        ("val.metrics.s.type", "calculate_niqe", "calculate_ssim_pt"),
        ("val.metrics.s.crop_border", "-1", "pixels"),
        ("val.metrics.s.better", "best", "higher or lower"),
        ("logger.save_every", "0s", "30s"),
        ("logger.save_every", "often", "30s"),
    ] {
        let told = faults(EVERY_KEY, &[(key, value)]);
        let first = format!("--set: {key} is ");
        let fits = |t: &&String| t.starts_with(&first) && t.contains(words) && t.contains("wanted");
        assert_eq!(
            told.iter().filter(fits).count(),
            1,
            "{key}={value}: {told:#?}"
        );
        assert_eq!(told.len(), 1, "{told:#?}");
    }
    let told = faults(&EVERY_KEY.replace("lr: 3e-4", "lr: fast"), &[]);
    assert_eq!(
        told,
        ["o.yml:52: train.optim_g.lr is fast; a number above 0 is wanted"]
    );
}

#[test]
fn what_keys_say_of_each_other_is_looked_at() {
    for (key, value, words) in [
        (
            "network_g.upscale",
            "2",
            "network_g.upscale is 2, and scale is 3",
        ),
        ("datasets.train.gt_size", "97", "a multiple of the scale 3"),
        ("datasets.train.gt_size", "81", "from 84 on"),
        (
            "datasets.val_first.dataroot_lq",
            "d/x",
            "dataroot_lq does not end in .lmdb",
        ),
        (
            "train.scheduler.periods",
            "[5, 6]",
            "end after 11 steps, and total_iter is 1000",
        ),
        (
            "train.scheduler.restart_weights",
            "[1]",
            "has 1 numbers, and periods has 2",
        ),
        (
            "datasets.train",
            "~",
            "datasets.train is missing, and train is there",
        ),
        (
            "train",
            "~",
            "train is missing, and datasets.train is there",
        ),
        (
            "datasets.train.mean",
            "[0.5, 0.5, 0.5]",
            "mean is not to be had here",
        ),
        ("datasets.train.color", "y", "color is not to be had here"),
        (
            "train.perceptual_opt",
            "{type: PerceptualLoss}",
            "perceptual_opt is not to be had here",
        ),
        (
            "train.optim_g.amsgrad",
            "true",
            "amsgrad is not to be had here",
        ),
        (
            "network_d",
            "{type: VGG}",
            "network_d is not to be had here",
        ),
        (
            "path.param_key",
            "params",
            "older name of param_key_g, and both",
        ),
        ("train.optim_g.lr.x", "1", "train.optim_g.lr has none"),
        ("train..lr", "1", "names no key"),
        ("train.optim_g.lr", "[1", "no YAML"),
    ] {
        let told = faults(EVERY_KEY, &[(key, value)]);
        assert_eq!(told.len(), 1, "{key}: {told:#?}");
        assert!(told[0].contains(words), "{key}: {told:#?}");
    }
    for (key, value) in [
        ("datasets.train.mean", "~"),
        ("train.perceptual_opt", "~"),
        ("train.optim_g.amsgrad", "false"),
    ] {
        options(EVERY_KEY, &[(key, value)]);
    }
}

#[test]
fn all_faults_of_a_file_are_told_at_once_in_its_order() {
    let text = EVERY_KEY.replace("scale: 3\nnum", "scale: three\nnum");
    let text = text.replace("    gt_size: 96\n", "");
    let text = text.replace("reduction: sum", "reduktion: sum");
    let text = text.replace("lr: 3e-4", "lr: 0");
    let told = faults(&text, &[("train.ema_decay", "x"), ("nname", "x")]);
    let expected = [
        "o.yml:3: scale is three; 1, 2, 3 or 4 is wanted",
        "o.yml:7: datasets.train.gt_size is missing; the side of a crop in pixels, up to 16384 is wanted",
        "o.yml:51: train.optim_g.lr is 0; a number above 0 is wanted",
        "o.yml:68: train.pixel_opt.reduktion is no key here; did you mean reduction?",
        "--set: train.ema_decay is x; a number from 0 to below 1, like 0.999 is wanted",
        "--set: nname is no key here; did you mean name?",
    ];
    assert_eq!(told, expected);
    let told = faults("", &[]);
    let missing = |key: &str| {
        told.iter()
            .any(|t| t.contains(&format!("{key} is missing")))
    };
    assert!(
        missing("name") && missing("scale") && missing("network_g.type"),
        "{told:#?}"
    );
}

#[test]
fn a_key_that_stands_twice_is_refused_with_both_lines() {
    let text = EVERY_KEY.replace(
        "  total_iter: 1_000\n",
        "  total_iter: 5\n  on_nan: stop\n  total_iter: 6\n",
    );
    let expected = [
        "o.yml:63: train.total_iter is in line 61 already; remove one of the two",
        "o.yml:73: train.on_nan is in line 62 already; remove one of the two",
    ];
    assert_eq!(faults(&text, &[]), expected);
    let told = faults("a: {b: 1, b: 2}\nc: 1\nc: 2\n", &[]);
    assert!(told[0].contains(":1: a.b is in line 1"), "{told:?}");
    assert!(told[1].contains(":3: c is in line 2"), "{told:?}");
}

#[test]
fn what_is_no_option_file_is_refused_and_not_followed_for_ever() {
    let nested = format!("a: {}", "[".repeat(100_000));
    let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nname: *c\n";
    for (text, words) in [
        ("- a\n- b\n", "section of keys"),
        ("a: [1\n", "no YAML"),
        ("a:\n\tb: 1\n", "no YAML"),
        ("a: 1\n---\nb: 1\n", "second document"),
        ("[a]: 1\n", "a key that is a list"),
        ("a: &x [*x]\n", "alias"),
        ("name: *nobody\n", "no YAML"),
        ("name: !!python/object x\n", "name is x"),
        (&nested, "o.yml:1"),
        (laughs, "name is [[…], […]]"),
        ("train: 5\n", "train is 5; a section of keys is wanted"),
    ] {
        let told = faults(text, &[]);
        assert!(told.iter().any(|t| t.contains(words)), "{words}: {told:#?}");
    }
    // Aliases, flow and comments are YAML; a byte order mark and Windows' line ends are no fault.
    let text = format!("\u{feff}{}", EVERY_KEY.replace('\n', " # said\r\n"));
    assert_eq!(options(&text, &[]), options(EVERY_KEY, &[]));
    let text = EVERY_KEY
        .replace("use_hflip: no", "use_hflip: &off no")
        .replace("use_rot: false", "use_rot: *off");
    assert_eq!(options(&text, &[]), options(EVERY_KEY, &[]));
}

#[test]
fn keys_of_pairs_may_stay_where_the_type_says_that_there_are_none() {
    let types = [("Folder", 5), ("DeadLeaves", 6)];
    for (kind, idle) in types {
        let change = [("datasets.train.type", kind)];
        let (_, notes) = changed(EVERY_KEY, &change).expect("taken");
        let told = |note: &&String| note.contains("does nothing here: ");
        assert_eq!(notes.iter().filter(told).count(), idle, "{notes:#?}");
    }
}
