//! Reverse-mode differentiation, one number at a time: `cargo run --example 00_scalar_tape`; or, as it needs
//! nothing but std, `rustc -O examples/00_scalar_tape.rs && ./00_scalar_tape`. The ladder starts here.

use std::cell::RefCell;

/// Of every number that was computed: the places of its inputs, and its derivative by each of them. Inputs
/// are computed first, so they stand before what is made of them.
#[derive(Default)]
struct Tape(RefCell<Vec<Vec<(usize, f64)>>>);

/// A number and its place on the tape.
#[derive(Clone, Copy)]
struct Num<'t> {
    tape: &'t Tape,
    place: usize,
    value: f64,
}

impl Tape {
    fn push(&self, value: f64, inputs: &[(usize, f64)]) -> Num<'_> {
        let mut notes = self.0.borrow_mut();
        notes.push(inputs.to_vec());
        let (tape, place) = (self, notes.len() - 1);
        Num { tape, place, value }
    }

    /// dy/dx for every x on the tape, from y back to the start: each number hands its gradient on to its
    /// inputs, times its derivative by each. An input that was used twice gets the sum of both.
    fn gradients(&self, y: Num) -> Vec<f64> {
        let notes = self.0.borrow();
        let mut gradients = vec![0.0; notes.len()];
        gradients[y.place] = 1.0; // dy/dy
        for place in (0..=y.place).rev() {
            for &(input, derivative) in &notes[place] {
                gradients[input] += gradients[place] * derivative;
            }
        }
        gradients
    }
}

fn add<'t>(a: Num<'t>, b: Num<'t>) -> Num<'t> {
    let inputs = [(a.place, 1.0), (b.place, 1.0)];
    a.tape.push(a.value + b.value, &inputs)
}

fn sub<'t>(a: Num<'t>, b: Num<'t>) -> Num<'t> {
    let inputs = [(a.place, 1.0), (b.place, -1.0)];
    a.tape.push(a.value - b.value, &inputs)
}

fn mul<'t>(a: Num<'t>, b: Num<'t>) -> Num<'t> {
    let inputs = [(a.place, b.value), (b.place, a.value)];
    a.tape.push(a.value * b.value, &inputs)
}

fn tanh(x: Num) -> Num {
    let y = x.value.tanh();
    x.tape.push(y, &[(x.place, 1.0 - y * y)])
}

/// A constant and four neurons, w₂·tanh(w₀·x + w₁) each: 13 weights.
fn network<'t>(w: &[Num<'t>], x: Num<'t>) -> Num<'t> {
    let neuron = |w: &[Num<'t>]| mul(w[2], tanh(add(mul(w[0], x), w[1])));
    w[1..].chunks(3).map(neuron).fold(w[0], add)
}

fn main() {
    let tape = Tape::default();
    let [a, b] = [3.0, 2.0].map(|value| tape.push(value, &[]));
    let y = mul(sub(add(a, a), mul(b, b)), a);
    let [da, db] = [a, b].map(|x| tape.gradients(y)[x.place]);
    println!("y = (2a - b²)·a = {}: dy/da = {da}, dy/db = {db}", y.value);

    // What gradients are for: the network walks downhill until it is a wave of a sine.
    let mut w: Vec<f64> = (1..14).map(|i| f64::from(i * i).sin()).collect();
    for step in 0..=2000 {
        let tape = Tape::default(); // of this step
        let num = |value| tape.push(value, &[]);
        let weights: Vec<Num> = w.iter().map(|&w| num(w)).collect();
        let (mut loss, mut plot) = (num(0.0), [[' '; 61]; 9]);
        for (i, x) in (-30..=30).map(|i| f64::from(i) / 10.0).enumerate() {
            let (y, wanted) = (network(&weights, num(x)), num(x.sin()));
            loss = add(loss, mul(sub(y, wanted), sub(y, wanted)));
            let row = |y: Num| (4.5 - 4.0 * y.value.clamp(-1.0, 1.0)) as usize;
            plot[row(wanted)][i] = '.';
            plot[row(y)][i] = '*';
        }
        if [0, 200, 2000].contains(&step) {
            println!("\nstep {step}: loss {:.4}; network *, sine .", loss.value);
            let print = |row: &[char; 61]| println!("{}", row.iter().collect::<String>());
            plot.iter().for_each(print);
        }
        let gradients = tape.gradients(loss);
        for (w, weight) in w.iter_mut().zip(&weights) {
            *w -= 0.002 * gradients[weight.place];
        }
    }
}
