//! A section of an option file as the list of its keys. The one list serves to read a file and to write
//! one, so that what is written is read, and what is known can be told.

use super::values::Value;

/// What a key may be: the text completes "… is wanted".
pub(super) struct Want<T> {
    pub text: &'static str,
    pub holds: fn(&T) -> bool,
}

impl<T> Want<T> {
    /// Whatever is of the right type.
    pub const fn any(text: &'static str) -> Self {
        Want {
            text,
            holds: |_| true,
        }
    }
}

/// What has keys.
pub(super) trait Section {
    /// Shows all its keys to `keys`, in the order in which they are written.
    fn keys<K: Keys>(&mut self, keys: &mut K);

    /// Tells what its keys say against each other, when all have been read.
    fn check<K: Keys>(&self, _keys: &mut K) {}
}

/// Goes through the keys of a section: reads their values from a file, or writes them into one.
pub(super) trait Keys {
    /// Whether values come from a file.
    const READING: bool;

    /// A key; `default` is what holds where it is not given, None if it has to be.
    fn key<T: Value>(
        &mut self,
        name: &'static str,
        value: &mut T,
        default: Option<T>,
        want: &Want<T>,
    );

    /// A section; where it is absent, its keys are.
    fn section<S: Section>(&mut self, name: &'static str, section: &mut S);

    /// A section that may be absent or nothing: it is None then.
    fn optional<S: Section + Default>(&mut self, name: &'static str, section: &mut Option<S>);

    /// The rest of this section: sections with names that the user chooses. What stands before their
    /// first `_` is one of `allowed`, unless that is empty.
    fn named<S: Section + Default>(
        &mut self,
        sections: &mut Vec<(String, S)>,
        allowed: &[&'static str],
    );

    /// What is called `name` here is `old` in some files.
    fn renamed(&mut self, old: &'static str, name: &'static str);

    /// A key that is known and does nothing here: it is told `why`.
    fn idle(&mut self, name: &'static str, why: &str);

    /// Tells of a key that it `does` something else than it says.
    fn remark(&mut self, name: &str, does: &str);

    /// Whatever else is in this section is not looked at: what it may be is not known.
    fn pass_over(&mut self);

    /// A key that would change the result if it did something, and does not exist here: only nothing
    /// (`~`, `false`) may stand there.
    fn foreign(&mut self, name: &'static str, why: &str);

    /// Something is wrong with the value of a key, for what other keys say. Of what is known to be wrong
    /// already, nothing more is told.
    fn fault(&mut self, path: &str, text: &str);

    /// Whether a value was read without fault, or holds by default.
    fn sound(&self, path: &str) -> bool;
}
