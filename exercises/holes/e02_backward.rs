/// What the tape notes of a number: its inputs, by their places on the tape, and its derivative by each.
pub type Note = Vec<(usize, f64)>;

/// The gradients of the last number on the tape by all of them.
pub fn gradients(tape: &[Note]) -> Vec<f64> {
    let mut gradients = vec![0.0; tape.len()];
    gradients[tape.len() - 1] = 1.0;
    // Fill in: two things are wrong in this loop, the order of the places and what becomes of an input that
    // has a gradient already.
    for place in 0..tape.len() {
        for &(input, derivative) in &tape[place] {
            gradients[input] = gradients[place] * derivative;
        }
    }
    gradients
}
