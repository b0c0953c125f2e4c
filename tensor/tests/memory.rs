//! Memory that is counted, and given back.

mod common;

use common::{device, random};
use tensor::ops;

#[test]
fn peaks_tell_how_much_was_in_use_at_once() {
    let device = device();
    const MIB: u64 = 1 << 20;
    let x = random(1, &[1 << 18]); // 1 MiB
    device.trim();
    device.reset_peaks();
    let before = device.stats();
    assert_eq!(before.peak_used_bytes, before.used_bytes);
    assert_eq!(before.peak_pool_bytes, before.pool_bytes);

    let y = ops::scale(&ops::scale(&x, 2.0), 2.0); // two more at once, one of them free again
    let after = device.stats();
    assert_eq!(after.used_bytes, before.used_bytes + MIB);
    assert_eq!(after.peak_used_bytes, before.used_bytes + 2 * MIB);
    assert_eq!(after.peak_pool_bytes, before.pool_bytes + 2 * MIB);

    let z = ops::scale(&y, 2.0); // takes the free one
    assert_eq!(device.stats().peak_pool_bytes, after.peak_pool_bytes);
    drop((y, z));
    device.reset_peaks();
    let reset = device.stats();
    assert_eq!(reset.peak_used_bytes, before.used_bytes);
    assert_eq!(
        reset.peak_pool_bytes, after.pool_bytes,
        "free ones are held on to"
    );
}
