//! Compiled kernels, each made once, beside the work that is still being recorded.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use crate::compile::{Compiler, Job};
use crate::unroll::with_spare_rounds;

/// A kernel: an entry point of a WGSL file, specialised by constants.
///
/// The file sees `const NAME: u32 = value;` for every constant, before its first line; with a
/// constant `LANES` also the function `spread` (see [`spread_source`]), with `VEC` the type `V` (see
/// [`vec_source`]); and how each binding stores its numbers (see [`stored_source`]). Its bindings are
/// numbered: the inputs first, then the outputs, in the order of the dispatch. With a constant `UNIFORMi`
/// that is not 0, input i is bound as a uniform of so many fours (see [`bound_source`]).
pub(crate) struct Kernel<'a> {
    pub source: &'static str,
    pub entry: &'static str,
    pub constants: &'a [(&'static str, u32)],
}

/// A pipeline, there or to come, and the layout of its one bind group, which is there at once.
pub(crate) struct Pipeline {
    pub name: Arc<str>, // the entry point and the constants, as a profile shows them
    pub layout: wgpu::BindGroupLayout,
    pub raw: OnceLock<Result<wgpu::ComputePipeline, String>>, // or what is wrong with the source
}

impl Pipeline {
    pub fn is_ready(&self) -> bool {
        self.raw.get().is_some()
    }

    /// Waits until it is compiled.
    ///
    /// # Panics
    /// If its source does not compile: a bug of this crate.
    pub fn wait(&self) -> &wgpu::ComputePipeline {
        let made = self.raw.wait().as_ref();
        made.unwrap_or_else(|message| panic!("{}: {message}", self.name))
    }
}

type Key = (&'static str, Vec<u32>, usize, Vec<bool>); // entry, constants, inputs, halves
type Layouts = (wgpu::BindGroupLayout, wgpu::PipelineLayout);

/// How a kernel's buffers are bound.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Bindings {
    pub inputs: usize,
    pub outputs: usize,
    pub uniform: Vec<usize>, // of the inputs; the others and the outputs are storage
}

pub(crate) struct Pipelines {
    made: HashMap<Key, Arc<Pipeline>>,
    layouts: HashMap<Bindings, Layouts>,
    compiler: Compiler,
    spare_rounds: bool,
}

/// Of the kernels that can take f16.
const MOST_BINDINGS: usize = 7;

/// What every adapter offers for parameters (DX12's limit).
pub(crate) const IMMEDIATE_BYTES: u32 = 128;

impl Pipelines {
    /// With `spare_rounds`, kernels are compiled [`with_spare_rounds`].
    pub fn new(compiler: Compiler, spare_rounds: bool) -> Self {
        Pipelines {
            made: HashMap::new(),
            layouts: HashMap::new(),
            compiler,
            spare_rounds,
        }
    }

    /// The kernel's pipeline for so many inputs, and bindings of which these are f16. At its first
    /// use the compiler is sent for it.
    pub fn get(
        &mut self,
        device: &wgpu::Device,
        kernel: &Kernel,
        inputs: usize,
        halves: Vec<bool>,
    ) -> Arc<Pipeline> {
        let values = kernel.constants.iter().map(|c| c.1).collect();
        let key = (kernel.entry, values, inputs, halves);
        let made = self.made.get(&key).cloned();
        made.unwrap_or_else(|| {
            let bindings = Bindings {
                inputs,
                outputs: key.3.len() - inputs,
                uniform: uniforms(kernel).map(|(i, _)| i).collect(),
            };
            let (layout, pipeline_layout) = self
                .layouts
                .entry(bindings.clone())
                .or_insert_with(|| layouts(device, &bindings));
            let (mut name, mut source) = (kernel.entry.to_owned(), stored_source(kernel, &key.3));
            if key.3.contains(&true) {
                name += " f16";
            }
            for (constant, value) in kernel.constants {
                let _ = write!(name, " {constant}={value}"); // writing to a string does not fail
                let _ = writeln!(source, "const {constant}: u32 = {value}u;");
                match *constant {
                    "LANES" => source += &spread_source(*value),
                    "VEC" => source += vec_source(*value),
                    _ => {}
                }
            }
            source += &bound_source(kernel);
            if self.spare_rounds {
                source = with_spare_rounds(&source);
            }
            let pipeline = Arc::new(Pipeline {
                name: name.into(),
                layout: layout.clone(),
                raw: OnceLock::new(),
            });
            self.compiler.compile(Job {
                pipeline: pipeline.clone(),
                entry: kernel.entry,
                source,
                layout: pipeline_layout.clone(),
                bindings,
            });
            self.made.insert(key, pipeline.clone());
            pipeline
        })
    }
}

/// The inputs that a kernel takes as uniforms, and their lengths in fours.
fn uniforms(kernel: &Kernel) -> impl Iterator<Item = (usize, u32)> {
    let length = |(name, fours): &(&str, u32)| {
        let binding = name.strip_prefix("UNIFORM")?.parse().ok()?;
        (*fours > 0).then_some((binding, *fours))
    };
    kernel.constants.iter().filter_map(length)
}

/// The kernel's source, with `var<uniform> x: array<T, length>` for `var<storage, read> x: array<T>`
/// where it takes x as a uniform: what [`Device::window`](crate::Device) is for. T is of 16 bytes.
///
/// # Panics
/// If the file has no such binding, or several.
fn bound_source(kernel: &Kernel) -> String {
    let mut source = kernel.source.to_owned();
    for (binding, fours) in uniforms(kernel) {
        let storage = format!("@binding({binding}) var<storage, read> ");
        assert_eq!(source.matches(&storage).count(), 1, "{}", kernel.entry);
        let (before, rest) = source
            .split_once(&storage)
            .expect("the kernel has this binding");
        let (declared, after) = rest.split_once(">;").expect("it is an array of something");
        source = format!("{before}@binding({binding}) var<uniform> {declared}, {fours}>;{after}");
    }
    source
}

/// `spread(v)`, the values that the `LANES` invocations of a subgroup hold in `v`, for all of them.
///
/// Where lanes are loaded one after another, as on a software driver, a value that all of them need
/// is loaded by one: `LANES` different values at the cost of one load. The lanes must be in step:
/// a workgroup of `LANES` invocations, none of which has returned. It is written out because the
/// lane of a broadcast must be a constant expression. Elsewhere `LANES` is 1 and nothing is spread.
fn spread_source(lanes: u32) -> String {
    let value = |lane: u32| match lanes {
        1 => "v".to_owned(),
        _ => format!("subgroupBroadcast(v, {lane}u)"),
    };
    let values: Vec<_> = (0..lanes).map(value).collect();
    let array = format!("array<f32, {lanes}>");
    let values = values.join(", ");
    format!("fn spread(v: f32) -> {array} {{ return {array}({values}); }}\n")
}

/// How binding i stores its numbers, whatever a kernel computes in (always f32): `Ti` is f32 or f16,
/// `Vi` is `V` of such. A kernel loads `f32(x[..])` or `V(x[..])` and stores `Ti(..)` or `Vi(..)`,
/// which are nothing where `Ti` is f32. What it does not name is f32.
///
/// # Panics
/// If a binding is f16 that the kernel does not name.
fn stored_source(kernel: &Kernel, halves: &[bool]) -> String {
    let enable = if halves.contains(&true) {
        "enable f16;\n"
    } else {
        ""
    };
    let four = kernel.constants.contains(&("VEC", 4));
    let mut source = enable.to_owned();
    // A file's other kernels may have more bindings than this one.
    for i in 0..MOST_BINDINGS.max(halves.len()) {
        let half = halves.get(i).is_some_and(|&half| half);
        let number = if half { "f16" } else { "f32" };
        let value = if four {
            format!("vec4<{number}>")
        } else {
            number.to_owned()
        };
        let mut named = false;
        for (alias, of) in [(format!("T{i}"), number), (format!("V{i}"), &value)] {
            if kernel.source.contains(&alias) {
                let _ = writeln!(source, "alias {alias} = {of};");
                named = true;
            }
        }
        assert!(
            named || !half,
            "{}: binding {i} has no form for f16",
            kernel.entry
        );
    }
    source
}

/// `V`, the numbers that an invocation loads and stores at once, and `sum_of(V)`: four where the
/// channels can be divided so, as a load of four costs little more than one; else one.
fn vec_source(width: u32) -> &'static str {
    match width {
        4 => "alias V = vec4f;\nfn sum_of(v: V) -> f32 { return (v.x + v.y) + (v.z + v.w); }\n",
        _ => "alias V = f32;\nfn sum_of(v: V) -> f32 { return v; }\n",
    }
}

/// The width of `V` for rows of this many channels.
pub(crate) fn vec_width(channels: usize) -> usize {
    if channels.is_multiple_of(4) { 4 } else { 1 }
}

/// Uniforms, and storage buffers of which the inputs are read-only.
pub(crate) fn layouts(device: &wgpu::Device, bindings: &Bindings) -> Layouts {
    let ty = |i| match bindings.uniform.contains(&i) {
        true => wgpu::BufferBindingType::Uniform,
        false => wgpu::BufferBindingType::Storage {
            read_only: i < bindings.inputs,
        },
    };
    let entries: Vec<_> = (0..bindings.inputs + bindings.outputs)
        .map(|i| wgpu::BindGroupLayoutEntry {
            binding: i as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: ty(i),
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries: &entries,
    });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: IMMEDIATE_BYTES,
    });
    (layout, pipeline_layout)
}
