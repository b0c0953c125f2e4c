//! What a file of weights holds, and the dictionary in it that a network asks for.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::archive::Archive;
use super::view::{TensorView, gather};
use super::{Problem, StateDict, element_count};

/// Bytes of all names together; keeps deep nests of long names from filling memory.
const MAX_NAMES: usize = 64 << 20;

/// What names of arrays begin with where a wrapper has put it there.
const WRAPPERS: [&str; 2] = ["module.", "_orig_mod."];

/// Under what weights usually stand.
const USUAL: [&str; 4] = ["params", "state_dict", "model", "weights"];

/// What an optimiser calls its arrays.
const OPTIMISER: [&str; 5] = [
    "exp_avg",
    "exp_avg_sq",
    "max_exp_avg_sq",
    "momentum_buffer",
    "step",
];

/// Arrays by path: the keys on the way to each, joined with dots.
#[derive(Default)]
pub(super) struct Names<'a> {
    pub entries: BTreeMap<String, Entry<'a>>,
    /// The class of the object that the file holds instead of a dictionary.
    pub object: Option<String>,
    spent: usize,
}

pub(super) struct Entry<'a> {
    /// Length of the path of the dictionary that it is in.
    dict: usize,
    /// Where its numbers are, or why not: this completes "`name` …".
    view: Result<TensorView<'a>, String>,
}

impl<'a> Names<'a> {
    /// Adds an array, in the dictionary whose path has `dict` bytes.
    pub fn add(
        &mut self,
        name: String,
        dict: usize,
        view: Result<TensorView<'a>, String>,
    ) -> Result<(), Problem> {
        self.spend(name.len() + size_of::<Entry>())?;
        let twice = format!("it holds `{name}` twice");
        match self.entries.insert(name, Entry { dict, view }) {
            Some(_) => Err(Problem::damaged(twice)),
            None => Ok(()),
        }
    }

    /// Counts a name of so many bytes.
    pub fn spend(&mut self, bytes: usize) -> Result<(), Problem> {
        self.spent += bytes;
        match self.spent > MAX_NAMES {
            true => Err(Problem::unsupported(
                "the names of what it holds are too long",
            )),
            false => Ok(()),
        }
    }
}

/// Where the numbers are.
pub(super) enum Storages<'a> {
    Zip(Archive<'a>),
    Slices(HashMap<String, &'a [u8]>),
}

/// What a file of weights holds: arrays in dictionaries, however nested. Their numbers are not
/// looked at before they are asked for.
pub struct Checkpoint<'a> {
    pub(super) names: Names<'a>,
    pub(super) storages: Storages<'a>,
    pub(super) metadata: BTreeMap<String, String>,
    /// Bytes of the file.
    pub(super) length: usize,
}

impl Checkpoint<'_> {
    /// What stands before the names of a network's arrays in this file: keys of dictionaries and
    /// whatever wrappers put there. The place that has the most of `wanted` is taken; of equals
    /// the one that is called `ema`.
    ///
    /// # Errors
    /// There is no array of such a name; the text says what there is.
    pub fn prefix_for(&self, wanted: &[String]) -> Result<String, Problem> {
        let wanted: HashSet<&str> = wanted.iter().map(String::as_str).collect();
        let longest = wanted.iter().map(|name| name.len()).max().unwrap_or(0);
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.names.entries.keys() {
            let dots = name.rmatch_indices('.').map(|(at, _)| at + 1).chain([0]);
            for start in dots.take_while(|start| name.len() - start <= longest) {
                if wanted.contains(&name[start..]) {
                    *found.entry(&name[..start]).or_default() += 1;
                }
            }
        }
        let rank = |(prefix, count): &(&str, usize)| {
            let optimiser = prefix.split('.').any(|part| OPTIMISER.contains(&part));
            (
                *count,
                !optimiser,
                is_averaged(prefix),
                usize::MAX - prefix.len(),
            )
        };
        match found.into_iter().max_by_key(rank) {
            Some((prefix, _)) => Ok(prefix.to_owned()),
            None => Err(self.without_weights()),
        }
    }

    /// What stands before the names of the largest dictionary.
    ///
    /// # Errors
    /// There is none but an optimiser's.
    pub fn largest(&self) -> Result<String, Problem> {
        let mut dicts: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, entry) in &self.names.entries {
            let (dict, rest) = name.split_at(entry.dict);
            // A safetensors file is one dictionary, whatever is in it.
            if dict.is_empty() || !OPTIMISER.contains(&rest) {
                *dicts.entry(dict).or_default() += 1;
            }
        }
        let rank = |(path, count): &(&str, usize)| {
            let usual = path.split('.').any(|key| USUAL.contains(&key));
            (*count, is_averaged(path), usual, usize::MAX - path.len())
        };
        let Some((path, count)) = dicts.into_iter().max_by_key(rank) else {
            return Err(self.without_weights());
        };
        let mut prefix = path.to_owned();
        // No file has more of them; one that pretends to would take long.
        for _ in 0..8 {
            let longer = WRAPPERS.map(|wrapper| format!("{prefix}{wrapper}"));
            match longer.into_iter().find(|p| self.names(p).count() == count) {
                Some(longer) => prefix = longer,
                None => break,
            }
        }
        Ok(prefix)
    }

    /// The names after `prefix`, without those of dictionaries further in, if there are others.
    pub fn names<'s>(&'s self, prefix: &'s str) -> impl Iterator<Item = &'s str> {
        let under = move || {
            let from = self.names.entries.range(prefix.to_owned()..);
            from.take_while(move |(name, _)| name.starts_with(prefix))
        };
        let here = move |entry: &Entry| entry.dict <= prefix.len();
        let nested = !under().any(|(_, entry)| here(entry));
        under()
            .filter(move |(_, entry)| nested || here(entry))
            .map(|(name, _)| &name[prefix.len()..])
    }

    /// Whether the array is of a type that is read.
    pub fn is_readable(&self, name: &str) -> bool {
        let entry = self.names.entries.get(name);
        entry.is_some_and(|entry| entry.view.as_ref().is_ok_and(TensorView::is_readable))
    }

    /// The arrays of these names, where they are there, and the file's metadata. `prefix` stands
    /// before each name in the file.
    ///
    /// # Errors
    /// One of them is damaged or of a type that is not read; the text names it.
    pub fn arrays<'n>(
        &self,
        prefix: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<StateDict, Problem> {
        // Views may share a storage, or repeat an element by a stride of zero; without a bound on
        // the elements of all of them together, a short file could ask for any amount of memory.
        let mut room = self.length;
        let mut reader = Reader::new(&self.storages);
        let mut state = StateDict {
            metadata: self.metadata.clone(),
            ..StateDict::default()
        };
        for name in names {
            let Some(entry) = self.names.entries.get(&format!("{prefix}{name}")) else {
                continue;
            };
            let view = entry.view.as_ref();
            let view = view.map_err(|what| Problem::damaged(format!("`{name}` {what}")))?;
            let left = element_count(&view.shape).and_then(|count| room.checked_sub(count));
            room = left.ok_or_else(|| {
                Problem::unsupported(format!(
                    "by `{name}`, its tensors claim more elements than the file has bytes; \
                     save them anew as contiguous copies"
                ))
            })?;
            if !view.is_readable() {
                return Err(Problem::unsupported(format!("`{name}` {}", view.unread())));
            }
            let array = gather(view, reader.storage(&view.storage.key)?)
                .map_err(|what| Problem::damaged(format!("`{name}` {what}")))?;
            state.arrays.insert(name.to_owned(), array);
        }
        Ok(state)
    }

    /// What the file is, where weights were looked for.
    fn without_weights(&self) -> Problem {
        let names = &self.names;
        let optimiser = |name: &String| name.rsplit('.').any(|part| OPTIMISER.contains(&part));
        let what = match (&names.object, names.entries.keys().next()) {
            (Some(class), None) => format!(
                "it holds a Python object, `{class}`, which was not run; \
                 save the weights alone: torch.save(model.state_dict(), path)"
            ),
            (_, None) => "it holds no arrays; name a file of weights".to_owned(),
            (_, Some(_)) if names.entries.keys().all(optimiser) => {
                "it holds the state of an optimiser, not weights; name the file of the network \
                 that was saved with it"
                    .to_owned()
            }
            (_, Some(first)) => {
                format!("it holds arrays of another network, such as `{first}`")
            }
        };
        Problem::unsupported(what)
    }
}

/// `params_ema`, `params-ema`, `net_g_ema`, …
fn is_averaged(path: &str) -> bool {
    path.split(['.', '_', '-'])
        .any(|part| part.eq_ignore_ascii_case("ema"))
}

/// Storages, each read and checked once.
struct Reader<'s, 'a> {
    storages: &'s Storages<'a>,
    archive: Option<Archive<'a>>,
    read: HashMap<String, &'a [u8]>,
}

impl<'s, 'a> Reader<'s, 'a> {
    fn new(storages: &'s Storages<'a>) -> Self {
        let archive = match storages {
            Storages::Zip(archive) => Some(archive.clone()), // reading moves its place
            Storages::Slices(_) => None,
        };
        Reader {
            storages,
            archive,
            read: HashMap::new(),
        }
    }

    fn storage(&mut self, key: &str) -> Result<&'a [u8], Problem> {
        if let Some(content) = self.read.get(key) {
            return Ok(content);
        }
        let content = match (self.storages, &mut self.archive) {
            (Storages::Slices(slices), _) => slices.get(key).copied(),
            (Storages::Zip(_), Some(archive)) => Some(archive.storage(key)?),
            (Storages::Zip(_), None) => None,
        };
        let content =
            content.ok_or_else(|| Problem::damaged(format!("it lacks the storage `{key}`")))?;
        self.read.insert(key.to_owned(), content);
        Ok(content)
    }
}
