use super::*;

fn noise(n: usize) -> Vec<(f64, f64)> {
    let y =
        |i: usize| 0.02 + 0.1 / (1.0 + i as f64 / 50.0) + 0.004 * ((i * 7919 % 97) as f64 / 97.0);
    (0..n).map(|i| (i as f64, y(i))).collect()
}

#[test]
fn thinning_keeps_both_ends_and_every_peak() {
    let mut points = noise(100_000);
    points[54_321].1 = 9.0;
    points[54_322].1 = -9.0;
    let kept = thinned(&points, MOST);
    assert!(
        kept.len() <= MOST && kept.len() > MOST / 2,
        "{}",
        kept.len()
    );
    assert_eq!((kept[0], kept[kept.len() - 1]), (points[0], points[99_999]));
    assert!(kept.contains(&points[54_321]) && kept.contains(&points[54_322]));
    assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
}

#[test]
fn smoothing_keeps_a_straight_line_and_takes_noise_away() {
    let name = String::new;
    let straight: Vec<_> = (0..500)
        .map(|i| (f64::from(i), 2.0 * f64::from(i)))
        .collect();
    let smooth = Series {
        name: name(),
        points: straight.clone(),
    }
    .smoothed("s");
    for (a, b) in smooth.points.iter().zip(&straight) {
        assert!((a.1 - b.1).abs() < 1e-9, "{a:?} {b:?}");
    }
    let noisy: Vec<_> = (0..500).map(|i| (f64::from(i), f64::from(i % 2))).collect();
    let smooth = Series {
        name: name(),
        points: noisy,
    }
    .smoothed("s");
    assert!(
        smooth.points[20..480]
            .iter()
            .all(|p| (p.1 - 0.5).abs() < 0.05)
    );
}

#[test]
fn a_chart_holds_its_lines_levels_labels_and_colours_for_the_dark() {
    let raw = Series {
        name: "each report".to_owned(),
        points: noise(50_000),
    };
    let chart = Chart {
        title: "L1 loss <b>".to_owned(),
        x: "steps".to_owned(),
        log: true,
        lines: vec![raw.smoothed("smoothed")],
        behind: Some(raw),
        levels: vec![("paper".to_owned(), 0.05)],
        floor: None,
    };
    let svg = chart.svg().expect("drawn");
    assert!(svg.starts_with(
        "<svg class=\"curve\" role=\"img\" aria-label=\"L1 loss &lt;b&gt; over steps"
    ));
    for part in [
        "L1 loss &lt;b&gt;",
        "each report",
        "smoothed",
        "paper",
        "10k",
        "0.05",
        "prefers-color-scheme:dark",
    ] {
        assert!(svg.contains(part), "{part}");
    }
    assert!(!svg.contains("<b>") && svg.len() < 120_000, "{}", svg.len());
    assert!(svg.trim_end().ends_with("</svg>"));
}

#[test]
fn what_cannot_be_shown_is_left_out_and_the_rest_is_shown() {
    let line = |points: &[(f64, f64)]| Series {
        name: "a".to_owned(),
        points: points.to_vec(),
    };
    let nothing = Chart::default().svg().expect("drawn");
    assert!(nothing.contains("no figures yet"));
    for points in [
        &[(0.0, f64::NAN), (1.0, 0.0)][..],
        &[(5.0, 2.0)],
        &[(0.0, -1.0), (1.0, 1e300)],
    ] {
        for log in [false, true] {
            let chart = Chart {
                log,
                lines: vec![line(points)],
                ..Chart::default()
            };
            let svg = chart.svg().expect("drawn");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}

#[test]
fn points_below_the_floor_are_not_drawn_as_if_they_lay_on_it() {
    let dots = |values: &[f64]| {
        let points = values.iter().enumerate().map(|(i, y)| (i as f64, *y));
        let chart = Chart {
            lines: vec![Series {
                name: "a".to_owned(),
                points: points.collect(),
            }],
            floor: Some(26.0),
            ..Chart::default()
        };
        chart.svg().expect("drawn").matches("<circle").count()
    };
    assert_eq!(dots(&[21.3, 25.6, 26.5, 27.0]), 2);
    assert_eq!(dots(&[21.3, 25.6]), 2); // all of it is lower
}
