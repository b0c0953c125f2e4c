// Which slots an invocation of attention_scalar.wgsl and of its gradients holds.

import package::lib::index::Grid;
import package::lib::attention::{p, List, list_of};
import constants::{WG, R};

// R slots of one list, first, first + WG, …: a workgroup holds R·WG that follow each other. Those beyond
// the list's end repeat its last.
struct Slots { first: u32, number: u32, list: List }

fn slots_of(grid: Grid, slots_per_group: u32) -> Slots {
    let workgroup = min(grid.id.y * grid.groups.x + grid.id.x, p.count - 1u);
    let tiles = (slots_per_group + R * WG - 1u) / (R * WG);
    let number = workgroup / tiles;
    return Slots(workgroup % tiles * (R * WG) + grid.local, number, list_of(number));
}
