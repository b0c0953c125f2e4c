//! The one way to run a kernel.
//!
//! ```text
//! Launch::new("tuned/linear", "linear")      // the file, and the entry point in it
//!     .input(x).input(w)                     // bindings 0, 1, … in this order
//!     .optional("BIAS", bias)                // the constant BIAS tells whether there is one
//!     .output(&y)                            // behind the inputs
//!     .constant("R", 2)                      // compiled in
//!     .param(rows).param(eps)                // handed over, in the order of the kernel's Params
//!     .each(rows)                            // the grid: an invocation for each
//!     .or(plain)                             // what runs where this does not compile
//!     .run();
//! ```

use std::sync::Arc;

use parking_lot::Mutex;

use crate::buffer::Buffer;
use crate::device::Device;
use crate::gpu::pipeline::{Bindings, PARAMS_BINDING, Pipeline};
use crate::gpu::work::{Dispatch, Otherwise, Work};
use crate::kernel::pipelines::Pipelines;
use crate::kernel::team::{Team, WG};
use crate::kernel::uses::LaunchUse;
use crate::kernel::wgsl::Kernel;
use crate::tensor::{Element, Tensor};

/// wgpu's bound on the workgroups of one dimension.
const MAX_GROUPS: usize = 65_535;

/// A kernel, its buffers, constants and parameters.
pub(crate) struct Launch {
    kernel: Kernel, // its halves are known at the end
    device: Option<Device>,
    inputs: Vec<Option<Buffer>>,
    outputs: Vec<Option<Buffer>>,
    uniforms: Vec<(usize, u32)>,
    params: Vec<u32>,
    groups: [usize; 3],
    needs: Vec<Arc<Pipeline>>,
    feeds: bool,
    plain: Option<Box<Launch>>,
}

/// A number that a kernel is given at its launch.
pub(crate) struct Param(u32);

impl From<usize> for Param {
    fn from(n: usize) -> Param {
        Param(n as u32)
    }
}

impl From<f32> for Param {
    fn from(x: f32) -> Param {
        Param(x.to_bits())
    }
}

impl Launch {
    /// The entry point of a file of `shaders/`, `plain/linear` for instance.
    pub fn new(file: &'static str, entry: &'static str) -> Launch {
        let kernel = Kernel {
            file,
            entry,
            constants: Vec::new(),
            halves: Vec::new(),
        };
        Launch {
            kernel,
            device: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            uniforms: Vec::new(),
            params: Vec::new(),
            groups: [0; 3],
            needs: Vec::new(),
            feeds: false,
            plain: None,
        }
    }

    /// The next input.
    pub fn input<E: Element>(mut self, x: &Tensor<E>) -> Launch {
        self.inputs.push(Some(x.buffer().clone()));
        self
    }

    /// The next input, which may be absent: the constant `name` is 1 where it is there, else 0, and
    /// then the kernel does not read it.
    pub fn optional(mut self, name: &'static str, x: Option<&Tensor>) -> Launch {
        self.inputs.push(x.map(|x| x.buffer().clone()));
        self.constant(name, usize::from(x.is_some()))
    }

    /// The next input, bound as a uniform if it `is_uniform`.
    pub fn input_as<E: Element>(mut self, x: &Tensor<E>, is_uniform: bool) -> Launch {
        if is_uniform {
            let fours = x.buffer().bytes / 16;
            self.uniforms.push((self.inputs.len(), fours as u32));
        }
        self.input(x)
    }

    /// The next output. It may be read as well as written.
    pub fn output<E: Element>(mut self, y: &Tensor<E>) -> Launch {
        self.device.get_or_insert_with(|| y.device().clone());
        self.outputs.push(Some(y.buffer().clone()));
        self
    }

    /// The next output, which may be absent, as [`Launch::optional`].
    pub fn optional_output(mut self, name: &'static str, y: Option<&Tensor>) -> Launch {
        self.outputs.push(y.map(|y| y.buffer().clone()));
        self.constant(name, usize::from(y.is_some()))
    }

    /// A constant that is compiled in.
    pub fn constant(mut self, name: &'static str, value: usize) -> Launch {
        self.kernel.constants.push((name, value as u32));
        self
    }

    /// Several constants.
    pub fn constants(self, all: &[(&'static str, usize)]) -> Launch {
        all.iter()
            .fold(self, |launch, &(name, value)| launch.constant(name, value))
    }

    /// The next field of the kernel's `Params`.
    pub fn param(mut self, value: impl Into<Param>) -> Launch {
        self.params.push(value.into().0);
        self
    }

    /// Several fields that are counts.
    pub fn params(self, all: &[usize]) -> Launch {
        all.iter().fold(self, |launch, &value| launch.param(value))
    }

    /// The grid: one invocation for each of `count`, folded into two dimensions.
    pub fn each(self, count: usize) -> Launch {
        self.invocations(count, WG)
    }

    /// The grid: `count` invocations in workgroups of `wg` (the constant WG), folded into two dimensions.
    pub fn invocations(self, count: usize, wg: usize) -> Launch {
        self.constant("WG", wg).groups(grid(count.div_ceil(wg)))
    }

    /// The grid: `count` teams (the constants LANES and WG), folded into two dimensions.
    pub fn teams(self, count: usize, team: Team) -> Launch {
        self.invocations_of(team, count * team.lanes)
    }

    /// The grid: `count` invocations in such teams.
    pub fn invocations_of(self, team: Team, count: usize) -> Launch {
        self.constant("LANES", team.lanes)
            .invocations(count, team.wg)
    }

    /// That grid once more for each of so many columns: those are y, the grid itself is x and z.
    pub fn columns(mut self, count: usize) -> Launch {
        let [x, folded, _] = self.groups;
        self.groups = [x, count, folded];
        self
    }

    /// The grid, in workgroups.
    pub fn groups(mut self, groups: [usize; 3]) -> Launch {
        self.groups = groups;
        self
    }

    /// What runs where this kernel does not compile, with the same outputs.
    pub fn or(mut self, plain: Launch) -> Launch {
        self.plain = Some(Box::new(plain));
        self
    }

    /// The result is only for a kernel that [`needs`](Launch::needs) this one: where this one does
    /// not compile, that one is replaced.
    pub fn feeds(mut self) -> Launch {
        self.feeds = true;
        self
    }

    /// Where the kernel that was launched before does not compile, this one is replaced too.
    pub fn needs(mut self, before: &Option<Arc<Pipeline>>) -> Launch {
        self.needs.extend(before.clone());
        self
    }

    /// Records it. If an input failed, nothing runs and the outputs fail.
    pub fn run(mut self) -> Option<Arc<Pipeline>> {
        let device = self.device.take()?;
        // For an output that is absent: only memory of its own stands in for it.
        let own = self.outputs.iter().any(Option::is_none);
        let own = own.then(|| device.alloc(&[4], false));
        let all = || {
            self.inputs
                .iter()
                .chain(&self.outputs)
                .flatten()
                .chain(&own)
        };
        let failure = all().find_map(|b| b.failure().or(b.unbindable()).cloned());
        if let Some(cause) = &failure {
            self.outputs.iter().flatten().for_each(|y| y.fail(cause));
            return None;
        }
        if !self.fits(&device) {
            let entry = self.kernel.entry;
            let reason = format!("it binds too few buffers at once for the kernel {entry}");
            let cause = Arc::new(device.raw().lost(reason));
            self.outputs.iter().flatten().for_each(|y| y.fail(&cause));
            return None;
        }
        let (raw, pipelines) = (device.raw().device.clone(), device.pipelines().clone());
        let params_buffer = device.params_buffer();
        let (needs, feeds) = (std::mem::take(&mut self.needs), self.feeds);
        let plain = self.plain.take().filter(|plain| plain.fits(&device));
        let plain = plain.map(|plain| plain.call(&device, &own));
        let mut dispatch =
            self.call(&device, &own)
                .dispatch(&raw, &pipelines, params_buffer.as_ref());
        dispatch.needs = needs;
        dispatch.otherwise = match plain {
            _ if feeds => Otherwise::Nothing,
            Some(plain) => Otherwise::Plain(Box::new(move || {
                plain.dispatch(&raw, &pipelines, params_buffer.as_ref())
            })),
            None => Otherwise::GiveUp,
        };
        let pipeline = dispatch.pipeline.clone();
        device.record(Work::Dispatch(dispatch));
        Some(pipeline)
    }

    /// Whether the device can bind all its buffers at once.
    fn fits(&self, device: &Device) -> bool {
        let most = device.raw().limits.max_storage_buffers_per_shader_stage;
        self.inputs.len() + self.outputs.len() - self.uniforms.len() <= most as usize
    }

    /// All of it down to the driver's buffers, which do not keep the pool's memory.
    fn call(self, device: &Device, own: &Option<Buffer>) -> Call {
        let groups = self.groups;
        assert!(
            groups.iter().all(|&g| g <= MAX_GROUPS),
            "{}: grid {groups:?} exceeds {MAX_GROUPS}",
            self.kernel.entry
        );
        let bindings = Bindings {
            inputs: self.inputs.len(),
            outputs: self.outputs.len(),
            uniforms: self.uniforms,
            params: !device.target().immediates,
        };
        // What is absent is compiled out. Any input stands in for an input.
        let any_input = self.inputs.iter().flatten().next().cloned();
        let whole = |b: Buffer| (b.half, b);
        let absent = |b: Buffer| (false, b);
        let or = |b: Option<Buffer>, other: &Option<Buffer>| match b {
            Some(b) => Some(whole(b)),
            None => other.clone().map(absent),
        };
        let inputs = self.inputs.into_iter().filter_map(|b| or(b, &any_input));
        let outputs = self.outputs.into_iter().filter_map(|b| or(b, own));
        let (halves, buffers): (Vec<bool>, Vec<Buffer>) = inputs.chain(outputs).unzip();
        // Whole vec4s: kernels that take four numbers at once may reach past the end.
        let part = |b: &Buffer| Some((b.raw()?.clone(), b.start, b.bytes.next_multiple_of(16)));
        Call {
            kernel: Kernel {
                halves,
                ..self.kernel
            },
            bindings,
            buffers: buffers.iter().filter_map(part).collect(),
            params: self.params,
            groups: groups.map(|g| g as u32),
        }
    }
}

/// A launch down to the driver's buffers: each with the first byte and the number of bytes that are bound.
struct Call {
    kernel: Kernel,
    bindings: Bindings,
    buffers: Vec<(wgpu::Buffer, u64, u64)>,
    params: Vec<u32>,
    groups: [u32; 3],
}

impl Call {
    fn dispatch(
        self,
        device: &wgpu::Device,
        pipelines: &Mutex<Pipelines>,
        params_buffer: Option<&(wgpu::Buffer, u64)>,
    ) -> Dispatch {
        let launch = || LaunchUse {
            count: 1,
            groups: self.groups,
            bytes: self.buffers.iter().map(|&(_, _, bytes)| bytes).collect(),
            params: self.params.clone(),
        };
        let pipeline = pipelines
            .lock()
            .get(device, self.kernel, self.bindings, launch);
        let params = params_buffer.map(|(buffer, bytes)| (buffer.clone(), 0, *bytes));
        let params = params.as_ref().map(|part| entry(PARAMS_BINDING, part));
        let buffers = self.buffers.iter().enumerate();
        let entries: Vec<_> = buffers
            .map(|(i, part)| entry(i, part))
            .chain(params)
            .collect();
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.layout,
            entries: &entries,
        });
        Dispatch {
            pipeline,
            bind_group,
            params: self.params,
            groups: self.groups,
            needs: Vec::new(),
            otherwise: Otherwise::GiveUp,
        }
    }
}

fn entry(binding: usize, part: &(wgpu::Buffer, u64, u64)) -> wgpu::BindGroupEntry<'_> {
    let (buffer, offset, bytes) = part;
    wgpu::BindGroupEntry {
        binding: binding as u32,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer,
            offset: *offset,
            size: wgpu::BufferSize::new(*bytes),
        }),
    }
}

/// A grid of `count` workgroups, folded into two dimensions where one does not hold them. The
/// kernel numbers them `id.y * groups.x + id.x` and must do no harm from `count` on.
pub(crate) fn grid(count: usize) -> [usize; 3] {
    let x = count.min(MAX_GROUPS);
    [x, count.div_ceil(x.max(1)), 1]
}

#[cfg(test)]
mod tests {
    use super::Launch;
    use crate::{Device, Error, Tensor};

    #[test]
    #[should_panic(expected = "no shader")]
    fn a_file_that_is_not_there_is_a_bug() {
        let device = Device::open(None).expect("tests need an adapter");
        let y: Tensor = Tensor::uninit(&device, &[1]);
        Launch::new("plain/nothing", "nothing")
            .output(&y)
            .each(1)
            .run();
    }

    #[test]
    fn a_kernel_that_does_not_compile_and_has_no_other_form_fails_at_the_next_read_back() {
        let overrides = crate::Overrides {
            broken: &["plain/elementwise"],
            ..Default::default()
        };
        let device = Device::open_with(None, overrides).expect("tests need an adapter");
        let y = Tensor::full(&device, 1.0, &[4]);
        let Err(Error::Lost { reason, .. }) = y.to_vec() else {
            panic!("it must fail")
        };
        assert!(reason.contains("fill"), "{reason}");
    }
}
