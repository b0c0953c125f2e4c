//! Attention, and who attends to whom: `cargo run --example 04_attention`.
//!
//! Builds on 01 to 03. Layers mix the channels of a token; attention mixes tokens.

use catanet::data::dead_leaves;
use tensor::ops::{self, AttentionLists, RowLists};
use tensor::{Device, Tensor};

const WIDTH: usize = 36;
const HEIGHT: usize = 12;
const N: usize = WIDTH * HEIGHT;
const SIDE: usize = 6; // of a window
const CENTRES: usize = 6;

fn main() -> anyhow::Result<()> {
    let device = Device::open(None)?;
    softmax_by_hand(&device)?;

    // Every pixel of a picture is a token; its channels are its colour, grey in the middle.
    let picture = dead_leaves::scene(1, 72, WIDTH, HEIGHT).to_f32();
    let colours: Vec<f32> = picture.iter().map(|v| v - 0.5).collect();
    let x = Tensor::new(&device, &colours, &[1, N, 3]);

    // Attention costs queries times keys: among all N tokens, N². Lists make it affordable: each
    // group of rows attends within itself. A window is a list of neighbours …
    let all: Vec<u32> = (0..N as u32).collect();
    let (across, size) = (WIDTH / SIDE, SIDE * SIDE);
    let place = |slot: usize| {
        let (window, i) = (slot / size, slot % size);
        let corner = (window / across * WIDTH + window % across) * SIDE;
        (corner + i / SIDE * WIDTH + i % SIDE) as u32
    };
    let in_windows: Vec<u32> = (0..N).map(place).collect();

    // … and a group of alike tokens is a list too. Centres start as the means of runs of tokens;
    // five times, each becomes the direction of the tokens nearest to it, as in k-means. Tokens are
    // then sorted by their centre. The sort is stable: within a group, the picture's order stays.
    let tokens = ops::unit(&x);
    let mut centres = ops::unit(&ops::pool_tokens(&tokens, CENTRES)); // [M, 3]
    for _ in 0..5 {
        centres = ops::refine_centres(&tokens, &centres).0;
    }
    let owner = ops::nearest_centre(&tokens, &centres); // [1, N]
    // The network leaves the order on the device and moves the tokens (autograd::sort_tokens):
    // reading it back, as here, would make every layer wait.
    let by_content = ops::counting_sort(&owner, CENTRES).order.to_vec()?;
    let owner = owner.to_vec()?;
    println!("\nthe nearest of {CENTRES} centres, by colour");
    show(|i| (b'a' + owner[i] as u8) as char);

    // What a list decides is seen by changing one token: those it is listed with feel it. Sorted
    // tokens are cut into lists as long as a window: the same cost, other partners. CATANet has both.
    let token = 4 * WIDTH + 24;
    let one: Vec<f32> = (0..N * 3).map(|i| (i / 3 == token) as u8 as f32).collect();
    let changed = ops::add(&x, &Tensor::new(&device, &one, &[1, N, 3]));
    for (name, rows, groups) in [
        ("all tokens", &all, 1),
        ("its window", &in_windows, N / size),
        ("alike tokens", &by_content, N / size),
    ] {
        let lists = among(&device, rows, groups);
        println!("\ntoken * reaches {name}: {} scores", N * N / groups);
        let attend = |x| {
            let (y, _) = ops::attention(x, x, x, &lists, 1); // [1, N, 3], as listed
            ops::segment_sum(&y, &lists.queries).to_vec() // [1, N, 3], each at its place
        };
        let (before, after) = (attend(&x)?, attend(&changed)?);
        let differs = |i: usize| before[i * 3..][..3] != after[i * 3..][..3];
        let felt = |i| if differs(i) { 'o' } else { '.' };
        show(|i| if i == token { '*' } else { felt(i) });
    }
    Ok(())
}

/// `rows` cut into `groups` lists of equal length; in each, everybody attends to everybody.
fn among(device: &Device, rows: &[u32], groups: usize) -> AttentionLists {
    let queries = RowLists::new(device, rows, groups, rows.len());
    let keys = queries.clone();
    AttentionLists { queries, keys }
}

/// y_i = Σ_j p_ij·v_j with p_i = softmax_j(q_i·k_j/√d): a mean of the values, weighted by how well
/// each key answers the query. Divided by √d, scores do not grow with the channels.
fn softmax_by_hand(device: &Device) -> anyhow::Result<()> {
    let (n, d, root_d) = (4, 2, 2f32.sqrt());
    let x = [2.0, 0.0, 1.8, 0.6, 0.0, 2.0, -2.0, 0.0f32]; // queries, keys and values alike
    let row = |i: usize| &x[i * d..][..d];
    let mut by_hand = vec![];
    println!("weights of 4 tokens for each other");
    for i in 0..n {
        let dot = |j| row(i).iter().zip(row(j)).map(|(q, k)| q * k).sum::<f32>();
        let e: Vec<f32> = (0..n).map(|j| (dot(j) / root_d).exp()).collect();
        let p: Vec<f32> = e.iter().map(|v| v / e.iter().sum::<f32>()).collect();
        println!("{:?} -> {p:.3?}", row(i));
        by_hand.extend((0..d).map(|c| (0..n).map(|j| p[j] * row(j)[c]).sum::<f32>()));
    }
    // The kernel never stores the weights: it runs over the keys once, keeping sums.
    let lists = among(device, &[0, 1, 2, 3], 1);
    let x = Tensor::new(device, &x, &[1, n, d]);
    let (y, _) = ops::attention(&x, &x, &x, &lists, 1);
    println!("by hand    {by_hand:.4?}\nby kernel  {:.4?}", y.to_vec()?);
    Ok(())
}

fn show(symbol: impl Fn(usize) -> char) {
    for row in 0..HEIGHT {
        let line: String = (0..WIDTH).map(|x| symbol(row * WIDTH + x)).collect();
        println!("{line}");
    }
}
