//! Where the time goes: one compute pass per dispatch, its time taken at the pass's boundaries.
//!
//! By the adapter's timestamps where it has them, else by the clock: each dispatch is then submitted
//! alone and waited for, which counts the submission in.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::device::{Device, lock};
use crate::record::{BATCH, Dispatch, begin_pass, map};
use crate::{Result, Stats};

/// What ran while [`Device::profile`] was looking.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Every kernel that ran, the one with the most time first.
    pub kernels: Vec<KernelTime>,
    /// The first dispatches one by one, in order, as many as were asked for.
    pub events: Vec<Event>,
    /// How the times were taken.
    pub clock: Clock,
    /// From start to end, the host's work included.
    pub elapsed: Duration,
    /// Dispatches, submits and read-backs of this profile alone; the pool as it was at its end.
    pub stats: Stats,
}

/// All dispatches of one kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelTime {
    /// Its entry point, and the constants it was compiled for.
    pub name: Arc<str>,
    /// Dispatches.
    pub calls: u64,
    /// Their time, added up.
    pub time: Duration,
}

/// One dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// As in [`KernelTime::name`].
    pub kernel: Arc<str>,
    /// Its start, from the first event's on.
    pub start: Duration,
    /// How long it ran.
    pub time: Duration,
    /// Workgroups in x, y and z.
    pub groups: [u32; 3],
}

/// How times were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// By the adapter, at the boundaries of each dispatch's pass.
    Timestamps,
    /// By the host, around the submission of each dispatch alone.
    Wall,
}

impl Profile {
    /// The time of all kernels.
    pub fn kernel_time(&self) -> Duration {
        self.kernels.iter().map(|k| k.time).sum()
    }
}

impl Device {
    /// Runs `f` and tells where the time of its kernels went. The first `events` dispatches are
    /// also kept one by one. What was recorded before is not in it; what `f` leaves recorded is
    /// run. One profile at a time: a second one ends the first.
    ///
    /// # Errors
    /// The device was lost.
    pub fn profile<T>(&self, events: usize, f: impl FnOnce() -> T) -> Result<(T, Profile)> {
        let timer = timestamps(&self.0.raw, &self.0.queue);
        self.profile_by(timer.unwrap_or_else(Timer::wall), events, f)
    }

    fn profile_by<T>(
        &self,
        timer: Timer,
        events: usize,
        f: impl FnOnce() -> T,
    ) -> Result<(T, Profile)> {
        self.wait_idle()?;
        let before = self.stats();
        let profiler = Profiler::new(timer, events);
        lock(&self.0.recorder).profiler = Some(profiler);
        let start = Instant::now();
        let result = f();
        let idle = self.wait_idle();
        let elapsed = start.elapsed();
        let profiler = lock(&self.0.recorder).profiler.take();
        idle?;
        let mut profiler = profiler.unwrap_or_else(|| panic!("profile: another one ended it"));
        profiler.read(&self.0.raw, &self.0.queue);
        self.check_lost()?;
        let after = self.stats();
        let stats = Stats {
            dispatches: after.dispatches - before.dispatches,
            copies: after.copies - before.copies,
            submits: after.submits - before.submits,
            read_backs: after.read_backs - before.read_backs,
            ..after
        };
        Ok((result, profiler.finish(elapsed, stats)))
    }
}

/// wgpu's bound on the queries of a set.
const QUERIES: u32 = 4096;

/// The recorder's part of a profile.
pub(crate) struct Profiler {
    timer: Timer,
    waiting: Vec<(usize, [u32; 3])>, // kernel and grid of the dispatches not yet read
    kernels: Vec<KernelTime>,
    numbers: HashMap<Arc<str>, usize>, // into `kernels`, by name
    events: Vec<Event>,
    max_events: usize,
}

enum Timer {
    Timestamps {
        set: wgpu::QuerySet,
        resolved: wgpu::Buffer,
        staging: wgpu::Buffer,
        period: f64, // nanoseconds of a tick
        first: Option<u64>,
    },
    Wall {
        start: Instant,
    },
}

impl Timer {
    fn wall() -> Timer {
        Timer::Wall {
            start: Instant::now(),
        }
    }
}

impl Profiler {
    fn new(timer: Timer, max_events: usize) -> Profiler {
        Profiler {
            timer,
            waiting: Vec::new(),
            kernels: Vec::new(),
            numbers: HashMap::new(),
            events: Vec::new(),
            max_events,
        }
    }

    /// Makes sure that a batch's timestamps fit the set.
    pub fn make_room(&mut self, device: &wgpu::Device, queue: &wgpu::Queue) {
        if self.waiting.len() + BATCH > QUERIES as usize / 2 {
            self.read(device, queue);
        }
    }

    /// Encodes a dispatch in a pass of its own.
    pub fn encode(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        encoder: &mut wgpu::CommandEncoder,
        dispatch: &Dispatch,
    ) {
        let name = &dispatch.pipeline.name;
        let known = self.numbers.get(name).copied();
        let kernel = known.unwrap_or_else(|| {
            // Some drivers compile a kernel when it first runs; let that be now, over nothing.
            dispatch.encode(&mut begin_pass(encoder, None), [0; 3]);
            self.kernels.push(KernelTime {
                name: name.clone(),
                calls: 0,
                time: Duration::ZERO,
            });
            self.numbers.insert(name.clone(), self.kernels.len() - 1);
            self.kernels.len() - 1
        });
        match &self.timer {
            Timer::Timestamps { set, .. } => {
                let query = 2 * self.waiting.len() as u32;
                let writes = wgpu::ComputePassTimestampWrites {
                    query_set: set,
                    beginning_of_pass_write_index: Some(query),
                    end_of_pass_write_index: Some(query + 1),
                };
                dispatch.encode(&mut begin_pass(encoder, Some(writes)), dispatch.groups);
                self.waiting.push((kernel, dispatch.groups));
            }
            &Timer::Wall { start } => {
                submit_and_wait(device, queue, encoder);
                let begin = start.elapsed();
                dispatch.encode(&mut begin_pass(encoder, None), dispatch.groups);
                submit_and_wait(device, queue, encoder);
                self.add(kernel, dispatch.groups, begin, start.elapsed() - begin);
            }
        }
    }

    fn add(&mut self, kernel: usize, groups: [u32; 3], start: Duration, time: Duration) {
        let of_kernel = &mut self.kernels[kernel];
        of_kernel.calls += 1;
        of_kernel.time += time;
        if self.events.len() < self.max_events {
            let kernel = of_kernel.name.clone();
            self.events.push(Event {
                kernel,
                start,
                time,
                groups,
            });
        }
    }

    /// Waits for the timestamps of all dispatches so far and takes them in. Those of a lost device
    /// stay out.
    fn read(&mut self, device: &wgpu::Device, queue: &wgpu::Queue) {
        let waiting = std::mem::take(&mut self.waiting);
        let Timer::Timestamps {
            set,
            resolved,
            staging,
            period,
            first,
        } = &mut self.timer
        else {
            return;
        };
        let ticks = read_ticks(device, queue, set, resolved, staging, 2 * waiting.len());
        let period = *period;
        let zero = *first.get_or_insert(ticks.first().copied().unwrap_or(0));
        let since = |from: u64, to: u64| {
            Duration::from_nanos((to.saturating_sub(from) as f64 * period).round() as u64)
        };
        for (&(kernel, groups), ticks) in waiting.iter().zip(ticks.chunks_exact(2)) {
            self.add(
                kernel,
                groups,
                since(zero, ticks[0]),
                since(ticks[0], ticks[1]),
            );
        }
    }

    fn finish(mut self, elapsed: Duration, stats: Stats) -> Profile {
        self.kernels
            .sort_by(|a, b| b.time.cmp(&a.time).then(a.name.cmp(&b.name)));
        Profile {
            kernels: self.kernels,
            events: self.events,
            clock: match self.timer {
                Timer::Timestamps { .. } => Clock::Timestamps,
                Timer::Wall { .. } => Clock::Wall,
            },
            elapsed,
            stats,
        }
    }
}

/// A timer by timestamps, where the adapter has them and they are not all zero.
fn timestamps(device: &wgpu::Device, queue: &wgpu::Queue) -> Option<Timer> {
    if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        return None;
    }
    let set = device.create_query_set(&wgpu::QuerySetDescriptor {
        label: None,
        ty: wgpu::QueryType::Timestamp,
        count: QUERIES,
    });
    let buffer = |usage| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("timestamps"),
            size: u64::from(QUERIES * wgpu::QUERY_SIZE),
            usage,
            mapped_at_creation: false,
        })
    };
    let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
    let staging = buffer(wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ);

    let mut encoder = device.create_command_encoder(&Default::default());
    drop(begin_pass(
        &mut encoder,
        Some(wgpu::ComputePassTimestampWrites {
            query_set: &set,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        }),
    ));
    queue.submit([encoder.finish()]);
    let ticks = read_ticks(device, queue, &set, &resolved, &staging, 2);
    ticks.iter().any(|&t| t != 0).then(|| Timer::Timestamps {
        period: f64::from(queue.get_timestamp_period()),
        set,
        resolved,
        staging,
        first: None,
    })
}

/// The first `count` timestamps of a set; none where the device is lost.
fn read_ticks(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    set: &wgpu::QuerySet,
    resolved: &wgpu::Buffer,
    staging: &wgpu::Buffer,
    count: usize,
) -> Vec<u64> {
    if count == 0 {
        return Vec::new();
    }
    let mut encoder = device.create_command_encoder(&Default::default());
    let bytes = count as u64 * u64::from(wgpu::QUERY_SIZE);
    encoder.resolve_query_set(set, 0..count as u32, resolved, 0);
    encoder.copy_buffer_to_buffer(resolved, 0, staging, 0, bytes);
    queue.submit([encoder.finish()]);
    let mapped = map(staging, bytes);
    let waited = device.poll(wgpu::PollType::wait_indefinitely());
    let Ok(bytes) = waited.map_err(|e| e.to_string()).and_then(|_| mapped()) else {
        return Vec::new();
    };
    bytemuck::pod_collect_to_vec(&bytes)
}

/// Runs what is encoded, and begins anew.
fn submit_and_wait(device: &wgpu::Device, queue: &wgpu::Queue, encoder: &mut wgpu::CommandEncoder) {
    let fresh = device.create_command_encoder(&Default::default());
    queue.submit([std::mem::replace(encoder, fresh).finish()]);
    let _ = device.poll(wgpu::PollType::wait_indefinitely()); // a lost device is met elsewhere
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tensor, ops};

    #[test]
    fn without_timestamps_each_dispatch_is_timed_by_the_clock() {
        let device = Device::open(None).expect("tests need an adapter");
        let x = Tensor::full(&device, 2.0, &[1 << 16]);
        let run = || ops::mul(&ops::mul(&x, &x), &x).to_vec().expect("read-back");
        let (result, profile) = device.profile_by(Timer::wall(), 9, run).expect("profiled");
        assert!(result.iter().all(|&y| y == 8.0));
        assert_eq!(profile.clock, Clock::Wall);
        assert_eq!((profile.kernels.len(), profile.kernels[0].calls), (1, 2));
        assert_eq!((profile.stats.dispatches, profile.events.len()), (2, 2));
        assert!(profile.kernel_time() > Duration::ZERO);
        assert!(profile.kernel_time() <= profile.elapsed);
    }
}
