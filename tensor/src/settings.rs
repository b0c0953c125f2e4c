//! What the environment and tests may say of a device before it is opened.

use crate::{Error, Result};

/// The project's name: the prefix of its environment variables, and its folder among the user's caches.
const PROJECT: &str = "catanet";

fn variable(name: &str) -> String {
    format!("{}_{name}", PROJECT.to_uppercase())
}

/// The environment variable `CATANET_<name>`, if it is set and not empty.
pub(crate) fn from_env(name: &str) -> Option<String> {
    let value = std::env::var(variable(name)).ok();
    value.filter(|value| !value.is_empty())
}

/// Whether `CATANET_<name>` is 1.
pub(crate) fn is_set(name: &str) -> bool {
    from_env(name).is_some_and(|value| value == "1")
}

/// The folder for what is worth keeping between two runs; None where the user has none.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn cache_folder() -> Option<std::path::PathBuf> {
    dirs::cache_dir().map(|cache| cache.join(PROJECT))
}

/// Which kernels run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernels {
    /// The fast form of an op where it has one.
    Tuned,
    /// The plain form of every op: the formula as it stands, slow, and right on any device.
    Plain,
}

impl Kernels {
    /// `CATANET_KERNELS=plain` asks for plain ones.
    ///
    /// # Errors
    /// The variable says something else.
    pub(crate) fn from_env() -> Result<Kernels> {
        match from_env("KERNELS").as_deref() {
            Some("plain") => Ok(Kernels::Plain),
            Some("tuned") | None => Ok(Kernels::Tuned),
            Some(other) => Err(Error::Setting {
                name: variable("KERNELS"),
                value: other.to_owned(),
                wanted: "`plain` or `tuned`",
            }),
        }
    }
}

/// What tests change of a device, so that what is done on other machines can be seen on this one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Overrides {
    /// Lowers [`Device::max_tensor_bytes`](crate::Device::max_tensor_bytes): what is done about
    /// tensors beyond it shows on small ones.
    pub binding_limit: Option<u64>,
    /// Which kernels run, whatever the environment says.
    pub kernels: Option<Kernels>,
    /// The tiles of a device that says nothing of itself.
    pub safe_tiles: bool,
    /// The kernels and tiles of a GPU.
    pub gpu_tiles: bool,
    /// Invocations of a software driver do not share their loads.
    pub one_lane: bool,
    /// Whether storage loads are dear: kernels take as uniforms what fits.
    pub uniforms: Option<bool>,
    /// Whether loops get a round to spare, which is otherwise so where a driver unrolls none without.
    pub spare_rounds: Option<bool>,
    /// Whether parameters are immediates; if not, they are a uniform.
    pub immediates: Option<bool>,
    /// Files of kernels (`tuned/linear`) that are to fail as on a driver that cannot compile them.
    pub broken: &'static [&'static str],
}
