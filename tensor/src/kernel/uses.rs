//! Which kernels some work asks for, and how it launches them: for whoever compiles them elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use crate::gpu::pipeline::{Bindings, PARAMS_BINDING, Pipeline};
use crate::kernel::wgsl::Kernel;

/// A kernel as [`Device::kernels_of`](crate::Device::kernels_of) tells it: what its compiler is given, and
/// how it was launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelUse {
    /// Its entry point, and the constants it is compiled for, as in a profile.
    pub name: Arc<str>,
    /// The entry point.
    pub entry: &'static str,
    /// The WGSL that is compiled.
    pub source: String,
    /// Buffers that it reads: bindings from 0 on.
    pub inputs: usize,
    /// Buffers that it writes, and may read: the bindings behind the inputs.
    pub outputs: usize,
    /// The inputs that are uniforms.
    pub uniforms: Vec<usize>,
    /// Where its parameters are a uniform, for want of immediates: the binding.
    pub params: Option<usize>,
    /// Its launches, those that are alike together.
    pub launches: Vec<LaunchUse>,
}

/// Launches of one kernel that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchUse {
    /// How many.
    pub count: u64,
    /// Workgroups in x, y and z.
    pub groups: [u32; 3],
    /// Bytes of each bound buffer: of the inputs, then of the outputs.
    pub bytes: Vec<u64>,
    /// The parameters, each as 32 bits.
    pub params: Vec<u32>,
}

impl LaunchUse {
    /// Workgroups of one launch.
    pub fn workgroups(&self) -> u64 {
        self.groups.iter().map(|&n| u64::from(n)).product()
    }
}

/// Kernels in the order they are first asked for.
#[derive(Default)]
pub(crate) struct Uses {
    kernels: Vec<KernelUse>,
    numbers: HashMap<usize, usize>, // into `kernels`, by the address of a pipeline: those live as long as their device
}

impl Uses {
    /// Notes a launch.
    pub fn note(
        &mut self,
        pipeline: &Arc<Pipeline>,
        (kernel, bindings): (&Kernel, &Bindings),
        spare_rounds: bool,
        launch: LaunchUse,
    ) {
        let number = *self
            .numbers
            .entry(Arc::as_ptr(pipeline).addr())
            .or_insert_with(|| {
                self.kernels.push(KernelUse {
                    name: pipeline.name.clone(),
                    entry: kernel.entry,
                    source: kernel.source(bindings, spare_rounds),
                    inputs: bindings.inputs,
                    outputs: bindings.outputs,
                    uniforms: bindings.uniforms.iter().map(|&(input, _)| input).collect(),
                    params: bindings.params.then_some(PARAMS_BINDING),
                    launches: Vec::new(),
                });
                self.kernels.len() - 1
            });
        let launches = &mut self.kernels[number].launches;
        let alike = |known: &&mut LaunchUse| {
            (known.groups, &known.bytes, &known.params)
                == (launch.groups, &launch.bytes, &launch.params)
        };
        match launches.iter_mut().find(alike) {
            Some(known) => known.count += launch.count,
            None => launches.push(launch),
        }
    }

    pub fn finish(self) -> Vec<KernelUse> {
        self.kernels
    }
}
