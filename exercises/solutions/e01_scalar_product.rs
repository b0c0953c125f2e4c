/// y = a·b, and dy is the gradient by y. Returns the gradients by a and by b.
pub fn gradients(a: f64, b: f64, dy: f64) -> [f64; 2] {
    [b * dy, a * dy] // dy/da = b, dy/db = a
}
