//! From WGSL to SPIR-V as wgpu does it on Vulkan for modules that it trusts: no bounds checks, no counters in
//! loops, workgroup memory as it is. (wgpu keeps its options to itself: these are those of wgpu-hal 30,
//! `Adapter::device_from_raw` and `Device::compile_stage` of its Vulkan part.)

use anyhow::{Context, Result, anyhow};
use naga::ShaderStage;
use naga::back::spv;
use naga::front::wgsl;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// A kernel as a driver is given it.
pub struct Spirv {
    pub words: Vec<u32>,
    /// Invocations of a workgroup.
    pub workgroup: u64,
}

/// Translates one entry point.
///
/// # Errors
/// naga does not take it.
pub fn translate(source: &str, entry: &str) -> Result<Spirv> {
    let module = wgsl::parse_str(source).map_err(|e| anyhow!(e.emit_to_string(source)))?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let info = validator.validate(&module).context("naga's validation")?;
    let stage = ShaderStage::Compute;
    let of_entry = Some((stage, entry));
    let (module, info) = naga::back::pipeline_constants::process_overrides(
        &module,
        &info,
        of_entry,
        &Default::default(),
    )?;
    let found = module.entry_points.iter().find(|e| e.name == entry);
    let size = found
        .context("there is no such entry point")?
        .workgroup_size;
    let unchecked = BoundsCheckPolicies {
        index: BoundsCheckPolicy::Unchecked,
        buffer: BoundsCheckPolicy::Unchecked,
        image_load: BoundsCheckPolicy::Unchecked,
        binding_array: BoundsCheckPolicy::Unchecked,
    };
    let bound = module
        .global_variables
        .iter()
        .filter_map(|(_, v)| v.binding);
    let binding_map = bound.map(|place| {
        let at = spv::BindingInfo {
            descriptor_set: place.group,
            binding: place.binding,
            binding_array_size: None,
        };
        (place, at)
    });
    let options = spv::Options {
        binding_map: binding_map.collect(),
        lang_version: (1, 6), // of Vulkan 1.3
        flags: spv::WriterFlags::empty(),
        fake_missing_bindings: false,
        capabilities: None, // whatever it asks for
        bounds_check_policies: unchecked,
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        ray_query_initialization_tracking: false,
        emit_int_div_checks: false,
        ..Default::default()
    };
    let pipeline = spv::PipelineOptions {
        shader_stage: stage,
        entry_point: entry.to_owned(),
    };
    Ok(Spirv {
        words: spv::write_vec(&module, &info, &options, Some(&pipeline))?,
        workgroup: size.iter().map(|&n| u64::from(n)).product(),
    })
}
