//! The command line of CATANet on wgpu.
