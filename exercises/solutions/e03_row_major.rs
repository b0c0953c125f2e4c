/// Where the element at `[b, y, x, c]` of a tensor `[B, H, W, C]` lies in its buffer.
pub fn place(shape: [usize; 4], at: [usize; 4]) -> usize {
    let [_, height, width, channels] = shape;
    let [b, y, x, c] = at;
    ((b * height + y) * width + x) * channels + c
}
