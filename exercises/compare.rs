//! Comparison of what was found with what was expected, told in words.

/// The first number that is off by more than `tolerance` (absolutely, or in parts of the expected number
/// where that is above 1), and how many more are; none if all are right.
pub fn difference(what: &str, found: &[f64], expected: &[f64], tolerance: f64) -> Option<String> {
    if found.len() != expected.len() {
        let (found, expected) = (found.len(), expected.len());
        return Some(format!(
            "{what}: found {found} numbers, expected {expected}"
        ));
    }
    let is_off = |(_, (f, e)): &(usize, (&f64, &f64))| {
        let near = (*f - *e).abs() <= tolerance * e.abs().max(1.0);
        !near // also where a number is NaN
    };
    let mut off = found.iter().zip(expected).enumerate().filter(is_off);
    let (place, (&f, &e)) = off.next()?;
    let place = match expected.len() {
        1 => String::new(),
        _ => format!(" at place {place}"),
    };
    let more = match off.count() {
        0 => String::new(),
        1 => ", and one more is off".to_owned(),
        more => format!(", and {more} more are off"),
    };
    let (f, e) = (short(f), short(e));
    Some(format!("{what}: found {f}{place}, expected {e}{more}"))
}

/// [`difference`] of numbers that an adapter gave.
pub fn difference_f32(
    what: &str,
    found: &[f32],
    expected: &[f64],
    tolerance: f64,
) -> Option<String> {
    let found: Vec<f64> = found.iter().map(|&f| f.into()).collect();
    difference(what, &found, expected, tolerance)
}

/// With as many digits as f32 has, and no zeros after them.
fn short(number: f64) -> String {
    let text = format!("{number:.8}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Numbers in [-1, 1) that look random and are always the same.
pub fn numbers(seed: u32, len: usize) -> Vec<f32> {
    let mixed = |i: usize| {
        let mut z = (i as u32 + 1).wrapping_add(seed << 20);
        for factor in [0x9E37_79B9, 0x85EB_CA6B, 0xC2B2_AE35] {
            z = (z ^ (z >> 15)).wrapping_mul(factor);
        }
        (z ^ (z >> 16)) as i32
    };
    let scaled = |i| mixed(i) as f32 / (1u32 << 31) as f32;
    (0..len).map(scaled).collect()
}
