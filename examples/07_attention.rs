//! Attention, and who attends to whom: `cargo run --example 07_attention`. Builds on 01 and 04: layers
//! mix the channels of a token; attention mixes tokens.

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

    // Among all N tokens, N² scores; with lists, each group attends within itself. A window is such a list …
    let (all, size) = ((0..N as u32).collect(), SIDE * SIDE);
    let place = |slot: usize| {
        let (window, i) = (slot / size, slot % size);
        let corner = (window / (WIDTH / SIDE) * WIDTH + window % (WIDTH / SIDE)) * SIDE;
        (corner + i / SIDE * WIDTH + i % SIDE) as u32
    };
    let in_windows: Vec<u32> = (0..N).map(place).collect();

    // … and a group of alike tokens is a list too. Centres start as the means of runs of tokens; five
    // times, each becomes the direction of the tokens nearest to it. Tokens are sorted by their centre.
    let tokens = ops::unit(&x);
    let means = ops::unit(&ops::pool_tokens(&tokens, CENTRES)); // [M, 3]
    let centres = (0..5).fold(means, |c, _| ops::refine_centres(&tokens, &c).0);
    let owner = ops::nearest_centre(&tokens, &centres); // [1, N]
    // The network leaves the order on the device: to read it back, as here, would make layers wait.
    let by_content = ops::counting_sort(&owner, CENTRES).order.to_vec()?;
    let owner = owner.to_vec()?;
    let nearest = |i: usize| (b'a' + owner[i] as u8) as char;
    show("each token's nearest centre, by colour", nearest);

    // Change a token: those in its list feel it. Sorted tokens are cut into lists as long as a window's.
    let token = 4 * WIDTH + 24;
    let one: Vec<f32> = (0..N * 3).map(|i| (i / 3 == token) as u8 as f32).collect();
    let changed = ops::add(&x, &Tensor::new(&device, &one, &[1, N, 3]));
    for (name, rows, groups) in [
        ("all tokens", &all, 1),
        ("its window", &in_windows, N / size),
        ("alike tokens", &by_content, N / size),
    ] {
        let lists = among(&device, rows, groups);
        let title = format!("token * reaches {name}: {} scores", N * N / groups);
        let listed = |x| ops::attention(x, x, x, &lists, 1).0; // [1, N, 3]
        let attend = |x| ops::segment_sum(&listed(x), &lists.queries).to_vec(); // each at its place
        let (before, after) = (attend(&x)?, attend(&changed)?);
        let symbol = |i: usize| match before[i * 3..][..3] == after[i * 3..][..3] {
            _ if i == token => '*',
            true => '.',
            false => 'o',
        };
        show(&title, symbol);
    }
    Ok(())
}

/// `rows` cut into `groups` lists of equal length; in each, everybody attends to everybody.
fn among(device: &Device, rows: &[u32], groups: usize) -> AttentionLists {
    let [queries, keys] = [0; 2].map(|_| RowLists::new(device, rows, groups, rows.len()));
    AttentionLists { queries, keys }
}

/// y_i = Σ_j p_ij·v_j with p_i = softmax_j(q_i·k_j/√d): a mean of the values, weighted by how well each
/// key answers the query. Divided by √d, scores do not grow with the channels.
fn softmax_by_hand(device: &Device) -> anyhow::Result<()> {
    let (n, d, root_d) = (4, 2, 2f32.sqrt());
    let x = [2.0, 0.0, 1.8, 0.6, 0.0, 2.0, -2.0, 0.0f32]; // queries, keys and values alike
    let row = |i: usize| &x[i * d..][..d];
    let mut by_hand = vec![];
    for i in 0..n {
        let dot = |j| row(i).iter().zip(row(j)).map(|(q, k)| q * k).sum::<f32>();
        let e: Vec<f32> = (0..n).map(|j| (dot(j) / root_d).exp()).collect();
        let p: Vec<f32> = e.iter().map(|v| v / e.iter().sum::<f32>()).collect();
        println!("token {:?} has weights {p:.3?}", row(i));
        by_hand.extend((0..d).map(|c| (0..n).map(|j| p[j] * row(j)[c]).sum::<f32>()));
    }
    // The kernel never stores the weights: it runs over the keys once, keeping sums.
    let x = Tensor::new(device, &x, &[1, n, d]);
    let (y, _) = ops::attention(&x, &x, &x, &among(device, &[0, 1, 2, 3], 1), 1);
    println!("by hand    {by_hand:.4?}\nby kernel  {:.4?}", y.to_vec()?);
    Ok(())
}

fn show(title: &str, symbol: impl Fn(usize) -> char) {
    println!("\n{title}");
    let picture: Vec<char> = (0..N).map(symbol).collect();
    let print = |row: &[char]| println!("{}", String::from_iter(row));
    picture.chunks(WIDTH).for_each(print);
}
