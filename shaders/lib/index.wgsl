// Which invocation of its grid this one is. A kernel takes the three builtins as one parameter:
// `fn kernel(grid: Grid)`.

import constants::WG;

struct Grid {
    @builtin(workgroup_id) id: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
}

// Its number. Grids are folded into two dimensions, as one dimension has an end.
fn index(at: Grid) -> u32 {
    return (at.id.y * at.groups.x + at.id.x) * WG + at.local;
}

// Its number below `count`: invocations beyond the end do the last one again; on the software
// driver cheaper than a branch.
fn index_below(at: Grid, count: u32) -> u32 {
    return min(index(at), count - 1u);
}

// The index of a load or store, reckoned for all lanes at once. Mesa's software driver loads lane after
// lane, and LLVM moves an index's sums and products into that loop, to be made for each lane alone: up
// to 37 instructions a lane instead of 23. What it does not move is a minimum. 4 GiB of 16-bit numbers
// are the most that a buffer has.
fn reckoned(at: u32) -> u32 { return min(at, 0x7fffffffu); }
