//! The time of a launch, predicted. It is for comparing two versions of our kernels on one device, not for
//! telling how long they take: what a cache misses, a branch leaves out or a clock does under load is not in it.
//!
//! A kernel's code is its hot part (the loop, or straight code, with most multiply-adds) and the rest. With
//!
//! ```text
//! rounds   = multiply-adds of the launch / (invocations · multiply-adds of the hot part), at least 1;
//!            1 where a kernel is not about multiply-adds
//! slots    = slots of the rest + rounds · slots of the hot part          (and bytes loaded likewise)
//! fill     = min(1, subgroups on a scheduler / 4), of those that fit it and those that there are
//!
//! issue    = invocations · slots / (lanes · clock · fill)
//! caches   = invocations · bytes loaded / (lanes · bytes a cycle and lane · clock · fill)
//! memory   = bytes of all that is bound / bandwidth
//! ```
//!
//! a launch takes the largest of the three, and 2 µs for being a launch. Four subgroups on a scheduler are
//! what hides a multiply-add's latency, of four to five cycles on all of these.

use crate::isa::Code;
use crate::target::Target;
use crate::work::Work;

/// Subgroups that hide an instruction's latency.
const HIDES: f64 = 4.0;
/// Seconds from one launch to the next that waits for it.
const LAUNCH: f64 = 2e-6;

/// A kernel as one target compiles it.
pub struct Kernel {
    /// Invocations of a workgroup.
    pub workgroup: f64,
    /// Its code.
    pub code: Code,
    /// Subgroups that fit a scheduler at once.
    pub resident: f64,
}

/// Seconds of all these launches.
pub fn seconds(target: &Target, kernel: &Kernel, work: &Work) -> f64 {
    let invocations = work.workgroups * kernel.workgroup;
    if invocations == 0.0 || work.count == 0.0 {
        return 0.0;
    }
    let (hot, rest) = (kernel.code.hot, kernel.code.rest);
    let rounds = match work.multiply_adds {
        Some(all) if hot.fma > 0.0 && kernel.code.hot_is_loop => {
            (all / (invocations * hot.fma)).max(1.0)
        }
        _ => 1.0,
    };
    let subgroups = invocations / target.subgroup;
    let schedulers = target.lanes / target.scheduler;
    let fill = (kernel.resident.min(subgroups / schedulers) / HIDES).min(1.0);
    let cycles = invocations / (target.lanes * fill);
    let issue = cycles * (rest.slots + rounds * hot.slots) / target.clock;
    let caches = cycles * (rest.bytes + rounds * hot.bytes) / (target.cache * target.clock);
    let memory = work.bytes / target.bandwidth;
    work.count * (issue.max(caches).max(memory) + LAUNCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Count;

    fn kernel(fma: f64) -> Kernel {
        let hot = Count {
            instructions: 10.0,
            fma,
            slots: 10.0,
            ..Count::default()
        };
        let code = Code {
            hot,
            hot_is_loop: true,
            ..Code::default()
        };
        Kernel {
            workgroup: 64.0,
            code,
            resident: 16.0,
        }
    }

    #[test]
    fn twice_the_share_of_multiply_adds_is_half_of_the_time() {
        let target = Target::named("navi31").expect("it is in the table");
        let work = Work {
            count: 1.0,
            workgroups: 1e5,
            bytes: 0.0,
            multiply_adds: Some(1e12),
        };
        let [half, whole] = [5.0, 10.0].map(|fma| seconds(target, &kernel(fma), &work));
        assert!((half / whole - 2.0).abs() < 1e-3, "{half} {whole}");
        let least = 1e12 / (target.lanes * target.clock);
        assert!((whole / least - 1.0).abs() < 1e-3, "{whole} {least}");
    }

    #[test]
    fn a_launch_of_nothing_but_bytes_takes_the_bandwidth() {
        let target = Target::named("ampere").expect("it is in the table");
        let work = Work {
            count: 2.0,
            workgroups: 1.0,
            bytes: 936e6,
            multiply_adds: None,
        };
        let took = seconds(target, &kernel(0.0), &work);
        assert!((took - 2.0 * (1e-3 + LAUNCH)).abs() < 1e-9, "{took}");
    }
}
