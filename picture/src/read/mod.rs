//! From a file's bytes to a picture.

mod blocks;
mod exif;
mod huffman;
mod jpeg;
mod pixels;
mod png;
mod scan;
mod sniff;
mod tiff;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::error::ReadError;
use crate::format::Format;
use crate::metadata::Metadata;
use crate::picture::Picture;
use jpeg::Fault;

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions {
    /// Take what there is of a damaged file. Without it a damaged file is an error.
    pub salvage: bool,
    /// The most that a picture may take decoded: a header may claim any size.
    pub max_bytes: u64,
}

impl Default for ReadOptions {
    /// No salvage, 1 GiB: about 19,000×19,000 pixels of 8-bit RGB.
    fn default() -> Self {
        ReadOptions {
            salvage: false,
            max_bytes: 1 << 30,
        }
    }
}

/// A picture, and how it came out of its file.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The picture, upright: an EXIF orientation is applied.
    pub picture: Picture,
    /// What the file is, by its content.
    pub format: Format,
    /// What was left behind or changed, each as a clause ("only the first of 12 frames was taken").
    pub notes: Vec<String>,
    /// With [`ReadOptions::salvage`]: the part of the picture that is missing, 0 to 1, as far as it can
    /// be told. 0 for a file that is whole.
    pub missing: f64,
}

/// Reads a picture.
///
/// # Errors
/// [`ReadError`].
pub fn read(bytes: &[u8], options: &ReadOptions) -> Result<Reading, ReadError> {
    let format = sniff::format_of(bytes)?;
    if let (Format::Ico, Ok(Some(png))) = (format, blocks::largest_of_ico(bytes)) {
        return Ok(Reading {
            format,
            ..read(png, options)?
        });
    }
    // Decoders are other people's, and what they make of hostile bytes may be a panic: one picture's
    // failure, not the program's. Nothing that they were given is used after it.
    let attempt = || read_as(format, bytes, options);
    catch_unwind(AssertUnwindSafe(attempt))
        .unwrap_or_else(|_| Err(damaged(format, "its decoder gave up", false)))
}

fn too_large(width: u64, height: u64, bytes: u64, limit: u64) -> ReadError {
    ReadError::TooLarge {
        width,
        height,
        bytes,
        limit,
    }
}

fn unknown_kind(format: Format) -> ReadError {
    ReadError::Unknown(format!(
        "it is a {format} of a kind that is not read; convert it to RGB first"
    ))
}

fn damaged(format: Format, what: impl ToString, salvageable: bool) -> ReadError {
    ReadError::Damaged {
        format,
        what: what.to_string(),
        salvageable,
    }
}

/// What can be told of a file without its pixels.
struct Look {
    metadata: Metadata,
    notes: Vec<String>,
    /// As the directory of a TIFF has it; other formats' is in their EXIF.
    orientation: Orientation,
    /// Whether its colours are a palette's, and may all be gray.
    palette: bool,
    /// What is wrong with it.
    fault: Option<Fault>,
}

fn look(format: Format, bytes: &[u8], max_bytes: u64) -> Look {
    let mut look = Look {
        metadata: Metadata::default(),
        notes: Vec::new(),
        orientation: Orientation::NoTransforms,
        palette: matches!(format, Format::Gif | Format::Bmp),
        fault: None,
    };
    let whole = |what| Fault { what, missing: 1.0 };
    let frames = match format {
        Format::Png => {
            let (chunks, state) = png::chunks(bytes);
            png::describe(&chunks, &mut look.metadata);
            look.palette = png::has_palette(&chunks);
            look.fault = state.err().map(|what| Fault { what, missing: 0.0 });
            png::frames(&chunks)
        }
        Format::Jpeg => {
            look.metadata.resolution = jpeg::resolution(bytes);
            look.fault = jpeg::check(bytes, max_bytes).err();
            None
        }
        Format::Gif | Format::WebP => {
            let counted = match format {
                Format::Gif => blocks::gif_frames(bytes),
                _ => blocks::webp_frames(bytes),
            };
            match counted {
                Ok(frames) => Some(frames),
                Err(what) => {
                    look.fault = Some(whole(what));
                    None
                }
            }
        }
        Format::Ico => {
            look.fault = blocks::largest_of_ico(bytes).err().map(whole);
            None
        }
        Format::Bmp => {
            look.metadata.resolution = blocks::bmp_resolution(bytes);
            None
        }
        Format::Tiff => {
            look.orientation =
                tiff::describe(bytes, max_bytes, &mut look.metadata, &mut look.notes);
            None
        }
        _ => None,
    };
    if let Some(frames) = frames.filter(|&n| n > 1) {
        look.notes
            .push(format!("only the first of {frames} frames was taken"));
    }
    look
}

fn read_as(format: Format, bytes: &[u8], options: &ReadOptions) -> Result<Reading, ReadError> {
    // A PNG's decoder looks at its limits before it tells a size.
    if let Some([width, height]) = png::size(bytes).filter(|_| format == Format::Png) {
        let least = width.saturating_mul(height);
        if least > options.max_bytes {
            return Err(too_large(width, height, least, options.max_bytes));
        }
    }
    let mut look = look(format, bytes, options.max_bytes);
    let mut missing = 0.0;
    let mut picture = None;
    if let Some(fault) = &look.fault {
        let can = matches!(format, Format::Png | Format::Jpeg) && fault.missing < 1.0;
        if !options.salvage || !can {
            return Err(damaged(format, &fault.what, can));
        }
        look.notes
            .push(format!("the file is damaged: {}", fault.what));
        missing = fault.missing;
        if format == Format::Png {
            let saved = png::salvage(bytes, options.max_bytes);
            let (image, part) = saved.ok_or_else(|| damaged(format, &fault.what, false))?;
            (picture, missing) = (Some(image), part);
        }
    }
    // A decoder wants an end, even of what is cut off.
    let ended =
        (format == Format::Jpeg && look.fault.is_some()).then(|| [bytes, &[0xff, 0xd9]].concat());
    let bytes = ended.as_deref().unwrap_or(bytes);
    if format == Format::Tiff {
        let kinds = tiff::other_kinds(bytes, options.max_bytes);
        picture = kinds.map_err(|what| damaged(format, what, false))?;
    }
    let decoder = open(format, bytes, options, look.fault.is_some())?;
    let mut picture = match decode(format, decoder, options, picture, &mut look) {
        // Whole chunks that hold too little.
        Err(ReadError::Damaged { what, .. }) if format == Format::Png && options.salvage => {
            let saved = png::salvage(bytes, options.max_bytes);
            let (image, part) = saved.ok_or_else(|| damaged(format, &what, false))?;
            look.notes.push(format!("the file is damaged: {what}"));
            missing = part;
            image
        }
        decoded => decoded?,
    };
    if format == Format::Tiff && tiff::is_premultiplied(bytes, options.max_bytes) {
        pixels::straighten(&mut picture);
    }
    let upright = pixels::turn(picture, look.orientation);
    let mut picture = if look.palette {
        pixels::as_gray(upright)
    } else {
        upright
    };
    let sideways = matches!(
        look.orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    if let Some(resolution) = look.metadata.resolution.as_mut().filter(|_| sideways) {
        (resolution.x, resolution.y) = (resolution.y, resolution.x);
    }
    fit_profile(&picture, &mut look);
    picture.metadata = look.metadata;
    Ok(Reading {
        picture,
        format,
        notes: look.notes,
        missing,
    })
}

type Decoder<'a> = Box<dyn ImageDecoder + 'a>;

/// The decoder of a file, within the limit on memory. None where it does not know this kind, and another
/// reader may.
fn open<'a>(
    format: Format,
    bytes: &'a [u8],
    options: &ReadOptions,
    is_cut: bool,
) -> Result<Option<Decoder<'a>>, ReadError> {
    let kind = match format {
        Format::Png => ImageFormat::Png,
        Format::Jpeg => ImageFormat::Jpeg,
        Format::WebP => ImageFormat::WebP,
        Format::Tiff => ImageFormat::Tiff,
        Format::Bmp => ImageFormat::Bmp,
        Format::Qoi => ImageFormat::Qoi,
        Format::Pnm => ImageFormat::Pnm,
        Format::Gif => ImageFormat::Gif,
        Format::Tga => ImageFormat::Tga,
        Format::Ico => ImageFormat::Ico,
        Format::OpenExr => ImageFormat::OpenExr,
        Format::RadianceHdr => ImageFormat::Hdr,
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(options.max_bytes.saturating_mul(2));
    reader.limits(limits);
    match reader.into_decoder() {
        Ok(decoder) => Ok(Some(Box::new(decoder))),
        Err(ImageError::Unsupported(_)) if format == Format::Tiff => Ok(None),
        Err(error) => Err(damaged(format, plain(&error), is_cut)),
    }
}

/// The pixels, and into `look` what the decoder says beside them. `picture`: where they are decoded already.
fn decode(
    format: Format,
    decoder: Option<Decoder>,
    options: &ReadOptions,
    picture: Option<Picture>,
    look: &mut Look,
) -> Result<Picture, ReadError> {
    let Some(mut decoder) = decoder else {
        return picture.ok_or_else(|| unknown_kind(format));
    };
    let (width, height) = decoder.dimensions();
    let size = decoder.total_bytes();
    if size > options.max_bytes {
        return Err(too_large(
            width.into(),
            height.into(),
            size,
            options.max_bytes,
        ));
    }
    describe(&mut *decoder, look);
    if let Some(picture) = picture {
        return Ok(picture);
    }
    let image = DynamicImage::from_decoder(decoder);
    let image = image.map_err(|error| damaged(format, plain(&error), format == Format::Png))?;
    let mut picture = pixels::picture(image);
    if matches!(format, Format::OpenExr | Format::RadianceHdr) {
        pixels::encode(&mut picture);
        look.notes
            .push("linear light became the curve of sRGB".to_owned());
    }
    Ok(picture)
}

/// Profile, EXIF and XMP. A broken one is no reason to refuse the pixels.
fn describe(decoder: &mut (dyn ImageDecoder + '_), look: &mut Look) {
    let metadata = &mut look.metadata;
    // What was found in the file itself goes first.
    let icc = || decoder.icc_profile().ok().flatten();
    metadata.icc = metadata.icc.take().or_else(icc);
    let xmp = || decoder.xmp_metadata().ok().flatten();
    metadata.xmp = metadata.xmp.take().or_else(xmp);
    let exif = || decoder.exif_metadata().ok().flatten();
    let exif = metadata.exif.take().or_else(exif).map(exif::bare);
    match exif {
        Some(mut bytes) if exif::is_sound(&bytes) => {
            look.orientation = exif::take_orientation(&mut bytes);
            if let Some(xmp) = &mut metadata.xmp {
                exif::reset_in_xmp(xmp);
            }
            metadata.resolution = metadata.resolution.or_else(|| exif::resolution(&bytes));
            metadata.exif = Some(bytes);
        }
        Some(_) => look
            .notes
            .push("its EXIF is damaged and was left out".to_owned()),
        None => {}
    }
}

/// Leaves out a profile that is not of the picture's kind: of CMYK, say, when the pixels are RGB now.
fn fit_profile(picture: &Picture, look: &mut Look) {
    let kind = look
        .metadata
        .icc
        .as_ref()
        .map(|icc| icc.get(16..20).unwrap_or_default().to_vec());
    let wanted: &[u8] = if picture.channels.is_gray() {
        b"GRAY"
    } else {
        b"RGB "
    };
    if let Some(kind) = kind.filter(|kind| kind != wanted) {
        look.metadata.icc = None;
        let kind = String::from_utf8_lossy(&kind).trim().to_owned();
        look.notes.push(format!(
            "its colour profile is of {kind:?}, which the pixels are not, and was left out"
        ));
    }
}

/// What a decoder said, in one line.
fn plain(error: &image::ImageError) -> String {
    let text = error.to_string();
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Width and height as the file's header states them (before an EXIF orientation): cheap.
///
/// # Errors
/// [`ReadError`].
pub fn dimensions(bytes: &[u8]) -> Result<(usize, usize), ReadError> {
    let format = sniff::format_of(bytes)?;
    let options = ReadOptions::default();
    let attempt = || {
        if format == Format::Tiff {
            return tiff::dimensions(bytes).map_err(|what| damaged(format, what, false));
        }
        let decoder = open(format, bytes, &options, false)?;
        let decoder = decoder.ok_or_else(|| unknown_kind(format))?;
        let (width, height) = decoder.dimensions();
        Ok((width as usize, height as usize))
    };
    catch_unwind(AssertUnwindSafe(attempt))
        .unwrap_or_else(|_| Err(damaged(format, "its decoder gave up", false)))
}
