//! CATANet's token aggregation, step by step: `cargo run --example 10_token_aggregation`.
//!
//! Builds on 08 and 09: tokens are sorted by their centre, attend to those beside them and to all
//! centres, and go back to their places. The weights are the first block's, as shipped.

use std::collections::BTreeMap;

use autograd::{Var, add, conv3x3, layer_norm, linear, reshape, sort_tokens, unsort_tokens};
use catanet::data::dead_leaves::scene;
use catanet::weights::load_bytes;
use catanet_cli::weights::shipped;
use nn::{Module, State, attend};
use tensor::ops::{self, AttentionLists, RowLists};
use tensor::{Device, Tensor};

const WIDTH: usize = 64;
const HEIGHT: usize = 40;
const N: usize = WIDTH * HEIGHT;
const GROUP: usize = 256; // tokens in a sub-group
const HEADS: usize = 4;

fn main() -> anyhow::Result<()> {
    let device = Device::open(None)?;
    let (net, _) = load_bytes(&device, shipped(2)?, "as shipped".as_ref(), Some(2))?;
    let mut state: BTreeMap<String, Var> = BTreeMap::new();
    net.visit("", &mut |name, piece| match piece {
        State::Parameter(p) => drop(state.insert(name, Var::clone(p))),
        State::Buffer(b) => drop(state.insert(name, Var::constant(b.clone()))),
        State::Flag(_) => {}
    });
    let w = |name: &str| &state[name];
    let b = |name: &str| w(&format!("blocks.0.0.{name}"));
    let project = |x: &Var, name: &str| linear(x, b(&format!("{name}.weight")), None, None);
    let show = |what: &str, x: &Var| println!("{what:28} {:?}", x.shape());

    let image = scene(21, 4, WIDTH, HEIGHT).to_f32();
    let image = Var::constant(Tensor::new(&device, &image, &[1, HEIGHT, WIDTH, 3]));
    let f = conv3x3(&image, w("first_conv.weight"), w("first_conv.bias"), None);
    let f = reshape(&f, &[1, N, f.channels()]);
    show("tokens, a pixel each", &f);
    let x = layer_norm(&f, b("norm.weight"), b("norm.bias"), 1e-5);
    let centres = b("means"); // of the training
    show("centres", centres);

    // 1. The owner of a token: the centre whose direction is nearest. A stable sort by owner.
    let owner = ops::nearest_centre(&ops::unit(x.value()), &ops::unit(centres.value()));
    let sorted = ops::counting_sort(&owner, centres.rows());
    let x = sort_tokens(&x, &sorted);
    let (owner, order) = (owner.to_vec()?, sorted.order.to_vec()?); // to show them
    let sizes = (0..centres.rows() as u32).map(|m| owner.iter().filter(|&&o| o == m).count());
    println!("tokens of each centre        {:?}", Vec::from_iter(sizes));

    // 2. Attention within: sub-groups of equal length, cut from the sorted tokens. The queries of
    //    each meet its keys and those of the next; behind the last one the tokens are mirrored.
    let [q, k, v] = ["to_q", "to_k", "to_v"].map(|n| project(&x, &format!("iasa_attn.{n}")));
    show("queries and keys, sorted", &q);
    let mirrored = |i: usize| i.min(2 * N - 1 - i) as u32;
    let reach = |j: usize| j * GROUP..(j + 2) * GROUP;
    let keys: Vec<u32> = (0..N / GROUP).flat_map(reach).map(mirrored).collect();
    let queries: Vec<u32> = (0..N as u32).collect();
    let lists = |queries: &[u32], keys: &[u32], groups, rows| AttentionLists {
        queries: RowLists::new(&device, queries, groups, N),
        keys: RowLists::new(&device, keys, groups, rows),
    };
    let sub_groups = lists(&queries, &keys, N / GROUP, N).into();
    let within = attend(&q, &k, &v, &sub_groups, HEADS);
    show("attention within sub-groups", &within);

    // 3. Attention across: the same queries to all centres, a summary of the whole picture.
    let rows = |x: Var| reshape(&x, &[1, x.rows(), x.channels()]);
    let k = rows(project(centres, "irca_attn.to_k"));
    let v = rows(project(centres, "irca_attn.to_v"));
    let all: Vec<u32> = (0..centres.rows() as u32).collect();
    let to_centres = lists(&queries, &all, 1, all.len()).into();
    let across = attend(&q, &k, &v, &to_centres, HEADS);
    show("attention to the centres", &across);

    // 4. Back to their places, and onto what came in.
    let y = unsort_tokens(&add(&within, &across), &sorted);
    let y = project(&y, "iasa_attn.proj");
    let y = linear(&y, b("conv1x1.weight"), None, Some(&f));
    show("tokens, changed", &y);

    let token = HEIGHT / 2 * WIDTH + WIDTH / 2;
    let place = order.iter().position(|&t| t as usize == token).unwrap_or(0);
    let met = &keys[place / GROUP * 2 * GROUP..][..2 * GROUP];
    let mut marks = vec!['.'; N];
    for &slot in met {
        marks[order[slot as usize] as usize] = 'o';
    }
    marks[token] = '*';
    println!("\n* is of centre {}, and attends to o:", owner[token]);
    for row in marks.chunks(WIDTH) {
        println!("{}", String::from_iter(row));
    }
    Ok(())
}
