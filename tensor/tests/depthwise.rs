//! Depthwise 5×5 convolution and its gradients against host loops.

mod common;

use common::{assert_close, host, random};
use tensor::ops;

fn check([b, h, w, c]: [usize; 4], with_bias: bool) {
    let (x, k) = (random(1, &[b, h, w, c]), random(2, &[5, 5, c]));
    let (bias, dy) = (random(3, &[c]), random(4, &[b, h, w, c]));
    let bias = with_bias.then_some(&bias);

    let host_bias = bias.map_or(vec![0.0; c], host);
    let (hx, hk, hdy) = (host(&x), host(&k), host(&dy));
    let (mut y, mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; x.len()], vec![0.0; k.len()]);
    let mut db = vec![0.0; c];
    for n in 0..x.len() {
        let (image, v, u, ch) = (n / (h * w * c), n / (w * c) % h, n / c % w, n % c);
        y[n] += host_bias[ch];
        db[ch] += hdy[n];
        for tap in 0..25 {
            let (sv, su) = (v + tap / 5, u + tap % 5); // two more than the source
            if (2..h + 2).contains(&sv) && (2..w + 2).contains(&su) {
                let xi = ((image * h + sv - 2) * w + su - 2) * c + ch;
                y[n] += hx[xi] * hk[tap * c + ch];
                dx[xi] += hdy[n] * hk[tap * c + ch];
                dw[tap * c + ch] += hdy[n] * hx[xi];
            }
        }
    }
    let name = format!("{b}×{h}×{w}×{c}");
    assert_close(
        &format!("y, {name}"),
        &ops::depthwise5x5(&x, &k, bias),
        &y,
        1e-5,
    );
    assert_close(
        &format!("dx, {name}"),
        &ops::depthwise5x5_backward_x(&dy, &k, None),
        &dx,
        1e-5,
    );
    let onto: Vec<f64> = dx.iter().zip(&hx).map(|(dx, x)| dx + x).collect();
    assert_close(
        &format!("dx onto another, {name}"),
        &ops::depthwise5x5_backward_x(&dy, &k, Some(&x)),
        &onto,
        1e-5,
    );
    let [got_dw, got_db] = ops::depthwise5x5_backward_w(&x, &dy).map(ops::RowSum::total);
    assert_close(&format!("dw, {name}"), &got_dw, &dw, 1e-5);
    assert_close(&format!("db, {name}"), &got_db, &db, 1e-5);
}

#[test]
fn depthwise_convolution_and_gradients_match_host_loops_at_odd_sizes() {
    check([1, 1, 1, 1], true);
    check([2, 1, 5, 3], false);
    check([3, 4, 2, 7], true);
    check([2, 37, 19, 5], true);
    check([1, 70, 9, 12], true);
}

#[test]
fn depthwise_convolution_and_gradients_match_host_loops_at_the_networks_channel_count() {
    check([2, 33, 16, 96], true);
}

#[test]
#[should_panic(expected = "depthwise5x5: weights of shape [5, 5, 4]")]
fn wrong_shapes_panic_and_are_named() {
    ops::depthwise5x5(&random(1, &[1, 4, 4, 3]), &random(2, &[5, 5, 4]), None);
}

#[test]
fn the_fused_form_is_the_input_plus_the_gelu_of_the_convolution() {
    for c in [5, 8] {
        let (x, k, bias) = (
            random(1, &[2, 9, 11, c]),
            random(2, &[5, 5, c]),
            random(3, &[c]),
        );
        let convolution = ops::depthwise5x5(&x, &k, Some(&bias));
        let apart = ops::add(&x, &ops::gelu(&convolution));
        let fused = ops::depthwise5x5_gelu_add(&x, &k, &bias);
        assert_close("fused", &fused, &host(&apart), 1e-6);
        let (y, h) = ops::depthwise5x5_gelu_add_keeping(&x, &k, &bias);
        assert_close("y beside what is kept", &y, &host(&fused), 0.0);
        assert_close("kept", &h, &host(&convolution), 0.0);
    }
}
