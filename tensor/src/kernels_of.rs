//! Which kernels some work asks for.

use crate::Device;
use crate::kernel::uses::{KernelUse, Uses};

impl Device {
    /// Runs `f` and tells the kernels that it recorded, with what their compiler is given and how they are
    /// launched. It waits for none of them. One such question at a time: a second one ends the first.
    pub fn kernels_of<T>(&self, f: impl FnOnce() -> T) -> (T, Vec<KernelUse>) {
        self.pipelines().lock().uses = Some(Uses::default());
        let result = f();
        let uses = self.pipelines().lock().uses.take();
        let uses = uses.unwrap_or_else(|| panic!("kernels_of: another one ended it"));
        (result, uses.finish())
    }
}
