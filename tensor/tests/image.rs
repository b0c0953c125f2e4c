//! Pixel shuffle and bilinear enlargement against host loops.

mod common;

use common::{assert_close, device, host, random};
use tensor::{Tensor, ops};

#[test]
fn pixel_shuffle_puts_each_channel_where_pytorch_does_and_unshuffle_brings_it_back() {
    for [b, h, w, c, r] in [
        [1, 1, 1, 1, 1],
        [2, 3, 5, 3, 2],
        [1, 4, 1, 2, 3],
        [3, 2, 3, 1, 4],
    ] {
        let x = random(1, &[b, h, w, c * r * r]);
        let source = host(&x);
        let mut y = vec![0.0; x.len()];
        for (n, value) in source.iter().enumerate() {
            let (pixel, channel) = (n / (c * r * r), n % (c * r * r));
            let (line, u) = (pixel / w, pixel % w); // line = b·H + row
            let (ch, i, j) = (channel / (r * r), channel / r % r, channel % r);
            y[((line * r + i) * w * r + u * r + j) * c + ch] = *value;
        }
        let shuffled = ops::pixel_shuffle(&x, r);
        assert_eq!(shuffled.shape(), [b, h * r, w * r, c]);
        assert_close("pixel_shuffle", &shuffled, &y, 0.0);
        let back = ops::pixel_unshuffle(&shuffled, r);
        assert_eq!(back.shape(), x.shape());
        assert_close("pixel_unshuffle", &back, &source, 0.0);
    }
}

/// Output `d`'s two inputs of `n`, and the second one's share.
fn place(d: usize, n: usize, s: usize) -> (usize, usize, f64) {
    let at = ((d as f64 + 0.5) / s as f64 - 0.5).max(0.0);
    let low = at.floor() as usize;
    (low, (low + 1).min(n - 1), at - at.floor())
}

#[test]
fn bilinear_and_its_gradient_match_host_loops() {
    let sizes = [
        [1, 1, 1, 1, 3],
        [2, 3, 5, 3, 2],
        [1, 7, 2, 2, 3],
        [2, 2, 3, 5, 4],
        [1, 3, 4, 1, 5],
    ];
    for [b, h, w, c, s] in sizes.into_iter().chain([[1, 4, 3, 2, 1]]) {
        let (x, dy) = (random(1, &[b, h, w, c]), random(2, &[b, h * s, w * s, c]));
        let (hx, hdy) = (host(&x), host(&dy));
        let (mut y, mut dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
        for n in 0..dy.len() {
            let (ch, u, line) = (n % c, n / c % (w * s), n / (c * w * s));
            let (v, image) = (line % (h * s), line / (h * s));
            let (top, bottom, below) = place(v, h, s);
            let (left, right, after) = place(u, w, s);
            for (row, fv) in [(top, 1.0 - below), (bottom, below)] {
                for (col, fu) in [(left, 1.0 - after), (right, after)] {
                    let xi = ((image * h + row) * w + col) * c + ch;
                    y[n] += fv * fu * hx[xi];
                    dx[xi] += fv * fu * hdy[n];
                }
            }
        }
        assert_close("bilinear", &ops::bilinear(&x, s), &y, 1e-6);
        assert_close(
            "bilinear_backward",
            &ops::bilinear_backward(&dy, s),
            &dx,
            1e-6,
        );
    }
}

#[test]
fn bilinear_gives_pytorchs_figures() {
    // interpolate(tensor([[[[0., 1.], [2., 4.]]]]), scale_factor=2, mode="bilinear")
    let x = Tensor::new(&device(), &[0.0, 1.0, 2.0, 4.0], &[1, 2, 2, 1]);
    #[rustfmt::skip]
    let y = [
        0.0, 0.25, 0.75, 1.0,
        0.5, 0.8125, 1.4375, 1.75,
        1.5, 1.9375, 2.8125, 3.25,
        2.0, 2.5, 3.5, 4.0,
    ];
    assert_close("bilinear", &ops::bilinear(&x, 2), &y, 1e-7);
}

#[test]
#[should_panic(expected = "pixel_shuffle: shape [1, 2, 2, 6] by 2")]
fn channels_that_do_not_divide_panic_and_are_named() {
    ops::pixel_shuffle(&random(1, &[1, 2, 2, 6]), 2);
}
