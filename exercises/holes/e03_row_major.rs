/// Where the element at `[b, y, x, c]` of a tensor `[B, H, W, C]` lies in its buffer.
pub fn place(shape: [usize; 4], at: [usize; 4]) -> usize {
    let [_, height, width, channels] = shape;
    let [b, y, x, c] = at;
    // Fill in: elements whose last index differs by one are neighbours; x steps over C of them, and so on.
    b + y * height + x * width + c * channels
}
