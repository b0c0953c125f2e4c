//! Compiled kernels, each made once, beside the work that is still being recorded.

use std::collections::HashMap;
use std::sync::Arc;

use crate::gpu::compiler::{Compiler, Job};
use crate::gpu::pipeline::{Bindings, Pipeline};
use crate::kernel::target::Target;
use crate::kernel::uses::{LaunchUse, Uses};
use crate::kernel::wgsl::Kernel;

type Layouts = (wgpu::BindGroupLayout, wgpu::PipelineLayout);

/// All that was asked for so far.
pub(crate) struct Pipelines {
    made: HashMap<(Kernel, Bindings), Arc<Pipeline>>,
    layouts: HashMap<Bindings, Layouts>,
    compiler: Compiler,
    target: Target,
    pub uses: Option<Uses>, // where somebody asks for them
}

impl Pipelines {
    pub fn new(compiler: Compiler, target: Target) -> Self {
        Pipelines {
            made: HashMap::new(),
            layouts: HashMap::new(),
            compiler,
            target,
            uses: None,
        }
    }

    /// The kernel's pipeline for these bindings. At its first use the compiler is sent for it. `launch`
    /// tells what it is launched over, if somebody asks.
    pub fn get(
        &mut self,
        device: &wgpu::Device,
        kernel: Kernel,
        bindings: Bindings,
        launch: impl FnOnce() -> LaunchUse,
    ) -> Arc<Pipeline> {
        let key = (kernel, bindings);
        let pipeline = self.made(device, &key);
        if let Some(uses) = &mut self.uses {
            uses.note(
                &pipeline,
                (&key.0, &key.1),
                self.target.spare_rounds,
                launch(),
            );
        }
        pipeline
    }

    fn made(&mut self, device: &wgpu::Device, key: &(Kernel, Bindings)) -> Arc<Pipeline> {
        if let Some(made) = self.made.get(key) {
            return made.clone();
        }
        let (kernel, bindings) = key;
        let (layout, pipeline_layout) = self
            .layouts
            .entry(bindings.clone())
            .or_insert_with(|| bindings.layouts(device));
        let pipeline = Arc::new(Pipeline::new(kernel.name(bindings), layout.clone()));
        if self.target.broken.contains(&kernel.file) {
            let _ = pipeline.raw.set(Err("as a test wants".to_owned()));
        } else {
            self.compiler.compile(Job {
                pipeline: pipeline.clone(),
                entry: kernel.entry,
                source: kernel.source(bindings, self.target.spare_rounds),
                layout: pipeline_layout.clone(),
                bindings: bindings.clone(),
            });
        }
        self.made.insert(key.clone(), pipeline.clone());
        pipeline
    }
}
