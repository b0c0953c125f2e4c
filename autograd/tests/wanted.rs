//! Nothing is computed or kept for a gradient that nobody wants, and what is wanted is written to where
//! it is wanted.

mod common;

use autograd::{
    Var, add, conv3x3, conv3x3_leaky_relu_shuffle, depthwise5x5, depthwise5x5_gelu_add, l1_loss,
    layer_norm, linear, linear_gelu, mul, sub, sum,
};
use common::{alone, device, random};
use tensor::Tensor;

#[test]
fn no_work_is_done_for_the_gradients_of_an_image_or_a_target() {
    let _alone = alone();
    let [image, w, bias] = [
        random(1, &[2, 5, 7, 3]),
        random(2, &[3, 3, 3, 4]),
        random(3, &[4]),
    ];
    let (w, bias) = (Var::parameter(w), Var::parameter(bias));
    let target = random(4, &[2, 5, 7, 4]);
    let dispatches = |image: &Var, target: &Var| {
        let loss = l1_loss(&conv3x3(image, &w, &bias, None), target);
        let before = device().stats().dispatches;
        loss.backward();
        w.zero_grad();
        bias.zero_grad();
        device().stats().dispatches - before
    };
    let data = [&image, &target].map(|t| Var::constant(t.clone()));
    let wanted = [&image, &target].map(|t| Var::parameter(t.clone()));
    let least = dispatches(&data[0], &data[1]);
    let of_image = dispatches(&wanted[0], &data[1]) - least;
    assert!((1..=2).contains(&of_image), "{of_image}"); // a GPU's kernel has the weights packed before
    assert_eq!(dispatches(&data[0], &wanted[1]), least + 1);
    assert!(wanted.iter().all(|v| v.grad().is_some()));
    assert!(data.iter().all(|v| v.grad().is_none()));
}

/// The kernels that `backward` of the sum of `op` runs, by their names, where all inputs want a gradient
/// but these.
fn kernels(shapes: &[&[usize]], unwanted: &[usize], op: fn(&[Var]) -> Var) -> Vec<String> {
    let input = |(i, shape): (usize, &&[usize])| match random(i as u64, shape) {
        x if unwanted.contains(&i) => Var::constant(x),
        x => Var::parameter(x),
    };
    let inputs: Vec<Var> = shapes.iter().enumerate().map(input).collect();
    let y = sum(&op(&inputs));
    let run = || {
        y.backward();
        device().wait_idle()
    };
    let (done, profile) = device().profile(1000, run).unwrap();
    done.unwrap();
    for (i, input) in inputs.iter().enumerate() {
        assert_eq!(input.grad().is_some(), !unwanted.contains(&i), "input {i}");
    }
    let name = |name: &str| name.split(' ').next().unwrap_or(name).to_owned();
    profile
        .kernels
        .iter()
        .flat_map(|k| vec![name(&k.name); k.calls as usize])
        .collect()
}

#[test]
fn no_kernel_runs_for_the_gradient_of_a_constant() {
    let _alone = alone();
    let image: [&[usize]; 3] = [&[2, 5, 7, 8], &[3, 3, 8, 4], &[4]];
    let depth: [&[usize]; 3] = [&[2, 5, 7, 8], &[5, 5, 8], &[8]];
    let tokens: [&[usize]; 3] = [&[200, 8], &[4, 8], &[4]];
    let lin = |v: &[Var]| linear(&v[0], &v[1], Some(&v[2]), None);
    let conv = |v: &[Var]| conv3x3(&v[0], &v[1], &v[2], None);
    type Op = fn(&[Var]) -> Var;
    // The op, its inputs, the kernel for the input's gradient and that for the weights'.
    let cases: [(Op, _, _, _); 5] = [
        (lin, tokens, "linear", "linear_backward_w"),
        (
            |v| linear_gelu(&v[0], &v[1], &v[2]),
            tokens,
            "linear",
            "linear_backward_w",
        ),
        (conv, image, "conv3x3", "conv3x3_backward_w"),
        (
            |v| depthwise5x5(&v[0], &v[1], &v[2]),
            depth,
            "depthwise5x5",
            "depthwise5x5_backward_w",
        ),
        (
            |v| depthwise5x5_gelu_add(&v[0], &v[1], &v[2]),
            depth,
            "depthwise5x5",
            "depthwise5x5_backward_w",
        ),
    ];
    for (op, shapes, for_input, for_weights) in cases {
        let calls = |unwanted: &[usize]| {
            let ran = kernels(&shapes, unwanted, op);
            let count = |names: &[&str]| ran.iter().filter(|r| names.contains(&r.as_str())).count();
            // The tuned kernel is the op's own, with other weights; the plain one has its own name.
            let for_input = [for_input, &format!("{for_input}_backward_x")];
            [&for_input[..], &[for_weights], &["sum_rows"]].map(count)
        };
        assert_eq!(calls(&[]), [1, 1, 2], "{for_input}");
        assert_eq!(calls(&[0]), [0, 1, 2], "{for_input} of a constant");
        assert_eq!(calls(&[0, 2]), [0, 1, 1], "{for_input}, weight alone");
        assert_eq!(calls(&[1, 2]), [1, 0, 0], "{for_input}, frozen");
    }
}

#[test]
fn an_op_of_constants_keeps_nothing_for_a_gradient() {
    let _alone = alone();
    let data = |seed, shape: &[usize]| Var::constant(random(seed, shape));
    let (x, b) = (data(1, &[4, 31, 33, 8]), data(3, &[8]));
    let check = |name: &str, op: &dyn Fn() -> Var| {
        device().reset_peaks();
        let before = device().stats().used_bytes;
        let y = op();
        let used = device().stats().peak_used_bytes - before;
        let result = 4 * y.len() as u64;
        let needed = result + result / 2; // sizes are rounded up
        assert!(!y.needs_grad() && used < needed, "{name}: {used} bytes");
    };
    let w = data(2, &[8, 8]);
    check("linear_gelu", &|| linear_gelu(&x, &w, &b));
    let w = data(2, &[5, 5, 8]);
    check("depthwise5x5_gelu_add", &|| {
        depthwise5x5_gelu_add(&x, &w, &b)
    });
    let w = data(2, &[3, 3, 8, 8]);
    let fused = || conv3x3_leaky_relu_shuffle(&x, &w, &b, 0.1, 2);
    check("conv3x3_leaky_relu_shuffle", &fused);
}

/// A parameter, and the tensor that takes its gradient.
fn with_gradient(seed: u64, shape: &[usize]) -> (Var, Tensor) {
    let gradient = Tensor::full(&device(), f32::NAN, shape);
    let target = gradient.clone();
    let var = Var::parameter_with_gradient(random(seed, shape), move || target.clone());
    (var, gradient)
}

#[test]
fn a_gradient_is_written_to_where_it_is_to_lie_with_the_same_bits_and_no_copy() {
    let _alone = alone();
    let shapes: [&[usize]; 6] = [&[6, 8], &[6], &[6], &[6], &[6, 6], &[3]];
    let x = Var::constant(random(9, &[70, 8]));
    let run = |p: &[Var]| {
        // Weights used once, twice, and as an input; not used; and a gradient of one more pass.
        for _ in 0..2 {
            let y = linear(&x, &p[0], Some(&p[1]), None);
            let y = layer_norm(&y, &p[2], &p[3], 1e-5);
            let y = linear(&y, &p[4], Some(&p[1]), None);
            let y = add(&y, &linear(&y, &p[4], None, None));
            sum(&mul(&y, &y)).backward();
            let z = linear(&p[4], &p[4], None, None);
            sum(&mul(&z, &sub(&z, &p[4]))).backward();
        }
    };
    let separate: Vec<Var> = (0..)
        .zip(shapes)
        .map(|(i, s)| Var::parameter(random(i, s)))
        .collect();
    run(&separate);
    let (placed, targets): (Vec<Var>, Vec<Tensor>) =
        (0..).zip(shapes).map(|(i, s)| with_gradient(i, s)).unzip();
    let before = device().stats().copies;
    run(&placed);
    assert_eq!(device().stats().copies, before);
    for (i, (a, b)) in separate.iter().zip(&placed).enumerate() {
        let [a, b] = [a, b].map(|v| v.grad().map(|g| g.to_vec().unwrap()));
        assert!(a == b, "parameter {i} {a:?} {b:?}");
        assert_eq!(a.is_some(), i < 5);
        if let Some(a) = a {
            assert!(targets[i].to_vec().unwrap() == a, "parameter {i}");
        }
    }
    placed[0].zero_grad();
    assert!(placed[0].grad().is_none());
    sum(&placed[0]).backward();
    assert!(
        targets[0].to_vec().unwrap() == [1.0; 48],
        "the first after zero_grad is stored"
    );
}
