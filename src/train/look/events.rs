//! Event files of TensorBoard, which shows curves and pictures of runs in a browser.
//!
//! A file is a row of records, framed as in a TFRecord (`tensorflow/core/lib/io/record_writer.h`): the length as
//! u64, its masked CRC-32C, the bytes, theirs; all little-endian. A record is the message `Event` of
//! `tensorboard/compat/proto/event.proto` in protobuf's encoding.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crc::{CRC_32_ISCSI, Crc, Table};
use prost::Message;

static CRC_32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// Writes one event file. Every event is handed to the system before its call returns.
pub struct EventWriter {
    path: PathBuf,
    file: File,
    whole: u64, // bytes up to the end of the last whole record
}

impl EventWriter {
    /// A new file in `folder`, which is made where it does not exist. TensorBoard reads all files of a folder as one
    /// run, in the order of their names, which hold the time.
    ///
    /// # Errors
    /// The folder or the file cannot be made.
    pub fn create(folder: &Path) -> io::Result<EventWriter> {
        fs::create_dir_all(folder)?;
        let seconds = now().as_secs();
        let process = std::process::id();
        let (path, file) = (0..)
            .map(|n| {
                folder.join(format!(
                    "events.out.tfevents.{seconds:010}.catanet.{process}.{n}"
                ))
            })
            .map(
                |path| match OpenOptions::new().append(true).create_new(true).open(&path) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => None,
                    other => Some(other.map(|file| (path, file))),
                },
            )
            .find_map(|made| made)
            .unwrap_or_else(|| Err(ErrorKind::AlreadyExists.into()))?;
        let mut writer = EventWriter {
            path,
            file,
            whole: 0,
        };
        writer.event(0, What::FileVersion("brain.Event:2".to_owned()))?;
        Ok(writer)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run goes on with `step`: what earlier files hold of this step and later ones is not shown.
    ///
    /// # Errors
    /// It cannot be written; the file is whole then, without it.
    pub fn resumed(&mut self, step: u64) -> io::Result<()> {
        self.event(
            step,
            What::SessionLog(SessionLog {
                status: SESSION_START,
            }),
        )
    }

    /// A figure: `losses/l_pix`, `metrics/Set5/psnr` are BasicSR's tags.
    ///
    /// # Errors
    /// As [`EventWriter::resumed`].
    pub fn scalar(&mut self, step: u64, tag: &str, value: f64) -> io::Result<()> {
        self.value(step, tag, Kind::Simple(value as f32), None)
    }

    /// A picture of `width`×`height` as a file of PNG.
    ///
    /// # Errors
    /// As [`EventWriter::resumed`].
    pub fn image(
        &mut self,
        step: u64,
        tag: &str,
        width: usize,
        height: usize,
        png: &[u8],
    ) -> io::Result<()> {
        let [width, height] = [width, height].map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        let image = Image {
            height,
            width,
            colorspace: 3,
            encoded: png.to_vec(),
        };
        self.value(step, tag, Kind::Image(image), None)
    }

    /// Text, shown as Markdown.
    ///
    /// # Errors
    /// As [`EventWriter::resumed`].
    pub fn text(&mut self, step: u64, tag: &str, text: &str) -> io::Result<()> {
        let tensor = Tensor {
            dtype: DT_STRING,
            shape: Some(Shape {
                dim: vec![Dim { size: 1 }],
            }),
            strings: vec![text.as_bytes().to_vec()],
        };
        self.value(step, tag, Kind::Tensor(tensor), Some("text"))
    }

    fn value(&mut self, step: u64, tag: &str, kind: Kind, plugin: Option<&str>) -> io::Result<()> {
        let metadata = plugin.map(|name| Metadata {
            plugin: Some(Plugin {
                name: name.to_owned(),
            }),
        });
        let value = Value {
            tag: tag.to_owned(),
            metadata,
            kind: Some(kind),
        };
        self.event(step, What::Summary(Summary { value: vec![value] }))
    }

    fn event(&mut self, step: u64, what: What) -> io::Result<()> {
        let event = Event {
            wall_time: now().as_secs_f64(),
            step: i64::try_from(step).unwrap_or(i64::MAX),
            what: Some(what),
        };
        let record = framed(&event.encode_to_vec());
        self.file.write_all(&record).inspect_err(|_| {
            // Nothing behind a torn record is read; where it cannot be taken back, that is so.
            let _ = self.file.set_len(self.whole);
        })?;
        self.whole += record.len() as u64;
        Ok(())
    }
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A record: length, its checksum, the bytes, their checksum.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(bytes.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(bytes);
    record.extend(masked(bytes).to_le_bytes());
    record
}

/// The CRC-32C, turned and moved, so that a checksum over bytes that hold checksums is none of them.
fn masked(bytes: &[u8]) -> u32 {
    CRC_32C
        .checksum(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

const SESSION_START: i32 = 1;
const DT_STRING: i32 = 7;

// The messages, with the fields that are written.

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(message, optional, tag = "9")]
    metadata: Option<Metadata>,
    #[prost(oneof = "Kind", tags = "2, 4, 8")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(float, tag = "2")]
    Simple(f32),
    #[prost(message, tag = "4")]
    Image(Image),
    #[prost(message, tag = "8")]
    Tensor(Tensor),
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    #[prost(int32, tag = "3")]
    colorspace: i32, // 3: RGB
    #[prost(bytes = "vec", tag = "4")]
    encoded: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    strings: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "2")]
    dim: Vec<Dim>,
}

#[derive(Clone, PartialEq, Message)]
struct Dim {
    #[prost(int64, tag = "1")]
    size: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(message, optional, tag = "1")]
    plugin: Option<Plugin>,
}

#[derive(Clone, PartialEq, Message)]
struct Plugin {
    #[prost(string, tag = "1")]
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc_32c_masked() {
        // From RFC 3720, appendix B.4: 32 bytes of zeros.
        assert_eq!(CRC_32C.checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(
            masked(&[0; 32]),
            0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8)
        );
    }

    #[test]
    fn records_stand_one_after_another_and_decode_to_what_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = EventWriter::create(&folder.path().join("tb_logger")).expect("a file");
        writer.scalar(7, "losses/l_pix", 0.5).expect("written");
        let bytes = fs::read(writer.path()).expect("read");
        let mut rest = &bytes[..];
        let mut events = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().expect("eight")) as usize;
            let (record, next) = rest.split_at(length + 16);
            assert_eq!(record, framed(&record[12..12 + length]));
            events.push(Event::decode(&record[12..12 + length]).expect("an event"));
            rest = next;
        }
        assert_eq!(events.len(), 2);
        assert_eq!(
            events[0].what,
            Some(What::FileVersion("brain.Event:2".to_owned()))
        );
        assert_eq!(events[1].step, 7);
        assert!(events[1].wall_time > 1.7e9);
    }

    #[test]
    fn two_writers_of_one_second_have_two_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let [a, b] = [(); 2].map(|()| EventWriter::create(folder.path()).expect("a file"));
        assert_ne!(a.path(), b.path());
    }
}
