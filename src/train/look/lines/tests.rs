use super::*;

use regex::Regex;

const LINE: StepLine = StepLine {
    name: "train_CATANet_x2",
    epoch: 0,
    iter: 200,
    lrs: &[2e-4],
    eta: Duration::from_secs(10),
    seconds: [0.1, 0.001],
    values: &[("l_pix", 1.2345e-2)],
};

#[test]
fn a_step_s_line_is_basicsr_s_to_the_character() {
    assert_eq!(
        LINE.message(),
        "[train..][epoch:  0, iter:     200, lr:(2.000e-04,)] [eta: 0:00:10, time (data): 0.100 (0.001)] \
         l_pix: 1.2345e-02 "
    );
    let large = StepLine {
        name: "x2",
        epoch: 1234,
        iter: 123_456_789,
        lrs: &[0.0, 1e-12],
        values: &[
            ("l_pix", f64::NAN),
            ("l_percep", f64::INFINITY),
            ("l_g", -250.0),
        ],
        ..LINE
    };
    assert_eq!(
        large.message(),
        "[x2..][epoch:1234, iter:123,456,789, lr:(0.000e+00,1.000e-12,)] [eta: 0:00:10, time (data): \
         0.100 (0.001)] l_pix: nan l_percep: inf l_g: -2.5000e+02 "
    );
}

#[test]
fn a_validation_has_a_line_for_each_metric() {
    let metric = |name, value, best| Metric { name, value, best };
    let metrics = [
        metric("psnr", 37.1234, (37.2, 5000)),
        metric("ssim", 0.95, (0.95, 15_000)),
    ];
    assert_eq!(
        validation("Set5", &metrics),
        "Validation Set5\n\t # psnr: 37.1234\tBest: 37.2000 @ 5000 iter\n\t # ssim: 0.9500\tBest: 0.9500 @ 15000 iter\n"
    );
}

#[test]
fn times_are_python_s() {
    let shown = [0, 59, 3_600, 86_399, 86_400, 200_000].map(|s| duration(Duration::from_secs(s)));
    assert_eq!(
        shown,
        [
            "0:00:00",
            "0:00:59",
            "1:00:00",
            "23:59:59",
            "1 day, 0:00:00",
            "2 days, 7:33:20"
        ]
    );
    assert_eq!(
        ends(Duration::from_millis(753_900)),
        "End of training. Time consumed: 0:12:33"
    );
}

#[test]
fn an_epoch_is_counted_as_basicsr_does() {
    let statistics = Statistics {
        images: 800,
        enlarge_ratio: 100,
        batch: 16,
        processes: 4,
        iterations: 500_000,
    };
    let message = statistics.message();
    assert_eq!(statistics.steps_an_epoch(), 1250);
    assert!(
        message.ends_with("per epoch: 1250\n\tTotal epochs: 400; iters: 500000."),
        "{message}"
    );
}

/// Patterns of the kinds that plotters of BasicSR's logs use.
#[test]
fn plotters_of_logs_find_what_they_look_for() {
    let metric = Metric {
        name: "psnr",
        value: 37.1234,
        best: (37.2, 5000),
    };
    let log = [LINE.message(), validation("Set5", &[metric])]
        .map(|message| stamped(SystemTime::now(), Level::Info, &message))
        .join("\n");
    let found = |pattern: &str| {
        let pattern = Regex::new(pattern).expect("a pattern");
        let found = pattern
            .captures(&log)
            .unwrap_or_else(|| panic!("{pattern} in {log}"));
        found
            .iter()
            .skip(1)
            .flatten()
            .map(|m| m.as_str().trim().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found(r"epoch:\s*([0-9]+),\s*iter:\s*([0-9,\s]+?),\s*lr"),
        ["0", "200"]
    );
    assert_eq!(
        found(r"\]\[epoch:(.*), iter:(.*), lr:\((.*),\)\]"),
        ["0", "200", "2.000e-04"]
    );
    assert_eq!(
        found(r"(?:lrs:\s*\[?[\(\[]?|lr:\()([0-9.eE+-]+)"),
        ["2.000e-04"]
    );
    assert_eq!(
        found(r"time \(data\):\s*([0-9.]+)\s*\(([0-9.]+)\)"),
        ["0.100", "0.001"]
    );
    assert_eq!(
        found(r"\b(l_[A-Za-z_]+): ([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)"),
        ["l_pix", "1.2345e-02"]
    );
    assert_eq!(found(r"l_pix:(.*)"), ["1.2345e-02"]);
    assert_eq!(found(r"Validation\s+(.+)\n"), ["Set5"]);
    let best = r"#\s*(psnr|ssim):\s*([0-9.]+)\s+Best:\s*([0-9.]+)\s*@\s*([0-9,]+)\s*iter";
    assert_eq!(found(best), ["psnr", "37.1234", "37.2000", "5000"]);
    assert_eq!(found(r"(?m)^\s+# psnr: ([0-9.]+)"), ["37.1234"]);
    found(r"^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d,\d{3}) (INFO): \[train");
}

#[test]
fn a_log_grows_line_by_line_and_holds_no_escape_codes() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = RunLog::create(folder.path(), "x2").expect("a log");
    log.line(Level::Info, &begins(0, 0)).expect("written");
    log.line(Level::Warning, "a\u{1b}[31m\tb").expect("written");
    let name = log.path().file_name().expect("a name").to_string_lossy();
    let form = Regex::new(r"^train_x2_\d{8}_\d{6}\.log$").expect("a pattern");
    assert!(form.is_match(&name), "{name}");
    let text = std::fs::read_to_string(log.path()).expect("read");
    let lines: Vec<_> = text.lines().map(|line| &line[24..]).collect();
    assert_eq!(
        lines,
        [
            "INFO: Start training from epoch: 0, iter: 0",
            "WARNING: a\\u{1b}[31m\tb"
        ]
    );
    assert!(RunLog::create(&folder.path().join("none"), "x2").is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let file = OpenOptions::new()
        .append(true)
        .open("/dev/full")
        .expect("Linux has it");
    let mut log = RunLog {
        path: PathBuf::new(),
        file,
        whole: 0,
    };
    assert!(log.line(Level::Info, "x").is_err());
}
