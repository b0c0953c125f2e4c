//! Pixels to a unit of length, as formats count them.

use std::cmp::Ordering;

use crate::format::Format;
use crate::metadata::{Resolution, Unit};

/// Pixels to a unit of length, in whole numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Density {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) unit: Unit,
}

/// Whether it says something: square pixels without a unit do not.
pub(super) fn is_said(resolution: &Resolution) -> bool {
    let Resolution { x, y, unit } = *resolution;
    x.is_finite() && y.is_finite() && x > 0.0 && y > 0.0 && (unit != Unit::None || x != y)
}

/// As a format that counts in whole numbers holds it; `None` if it cannot.
pub(super) fn density(resolution: &Resolution, format: Format) -> Option<Density> {
    match format {
        Format::Png if resolution.unit == Unit::None => whole(resolution, i32::MAX as u32),
        Format::Png => whole(&to(Unit::Metre, resolution)?, i32::MAX as u32),
        Format::Bmp => whole(&to(Unit::Metre, resolution)?, i32::MAX as u32),
        Format::Jpeg if resolution.unit == Unit::None => whole(resolution, u16::MAX.into()),
        Format::Jpeg => {
            // The unit that whole numbers fit better: 11811 to a metre is 300 to an inch, and not 118 to a
            // centimetre.
            let inch = to(Unit::Inch, resolution)?;
            let centimetre = to(Unit::Centimetre, resolution)?;
            let of_equals = match resolution.unit {
                Unit::Centimetre => centimetre,
                _ => inch,
            };
            let better = match error(&inch).total_cmp(&error(&centimetre)) {
                Ordering::Less => inch,
                Ordering::Equal => of_equals,
                Ordering::Greater => centimetre,
            };
            whole(&better, u16::MAX.into())
        }
        _ => None,
    }
}

/// What rounding to whole numbers changes at most, as a part of it.
fn error(resolution: &Resolution) -> f64 {
    let part = |v: f64| (v.round() - v).abs() / v;
    part(resolution.x).max(part(resolution.y))
}

fn whole(resolution: &Resolution, most: u32) -> Option<Density> {
    let count = |v: f64| {
        let v = v.round();
        (v >= 1.0 && v <= f64::from(most)).then_some(v as u32)
    };
    Some(Density {
        x: count(resolution.x)?,
        y: count(resolution.y)?,
        unit: resolution.unit,
    })
}

/// In another unit; `None` where it has none.
fn to(unit: Unit, resolution: &Resolution) -> Option<Resolution> {
    let metres = |unit| match unit {
        Unit::None => None,
        Unit::Inch => Some(0.0254),
        Unit::Centimetre => Some(0.01),
        Unit::Metre => Some(1.0),
    };
    if unit == resolution.unit {
        return Some(*resolution);
    }
    let factor = metres(unit)? / metres(resolution.unit)?;
    Some(Resolution {
        x: resolution.x * factor,
        y: resolution.y * factor,
        unit,
    })
}

/// As TIFF holds it: fractions `[numerator, denominator]` across and down, and the unit (inch or
/// centimetre). `None` for what is too large.
pub(super) fn fractions(resolution: &Resolution) -> Option<([u32; 2], [u32; 2], Unit)> {
    let resolution = match resolution.unit {
        Unit::Metre => to(Unit::Centimetre, resolution)?,
        _ => *resolution,
    };
    let fraction = |v: f64| {
        // As exact as the numerator's 32 bits allow; a whole number as itself.
        let denominators = [1.0, 100.0, 10_000.0, 1_000_000.0];
        let fits = |d: &&f64| v * **d <= f64::from(u32::MAX) && v * **d >= 1.0;
        let exact = |d: &&f64| ((v * **d).round() - v * **d).abs() < 1e-6 * v;
        let d = denominators
            .iter()
            .filter(fits)
            .find(exact)
            .or_else(|| denominators.iter().rfind(fits))?;
        Some([(v * d).round() as u32, *d as u32])
    };
    Some((
        fraction(resolution.x)?,
        fraction(resolution.y)?,
        resolution.unit,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(v: f64, unit: Unit) -> Resolution {
        Resolution { x: v, y: v, unit }
    }

    #[test]
    fn dots_per_inch_are_the_usual_numbers_to_a_metre() {
        for (dpi, metre) in [(72.0, 2835), (96.0, 3780), (300.0, 11811), (600.0, 23622)] {
            let density = density(&square(dpi, Unit::Inch), Format::Png).unwrap();
            assert_eq!((density.x, density.unit), (metre, Unit::Metre), "{dpi} dpi");
        }
    }

    #[test]
    fn what_came_from_a_png_has_the_usual_dots_per_inch_in_a_jpeg() {
        for (metre, dpi) in [(2835.0, 72), (3780.0, 96), (11811.0, 300)] {
            let density = density(&square(metre, Unit::Metre), Format::Jpeg).unwrap();
            assert_eq!(
                (density.x, density.unit),
                (dpi, Unit::Inch),
                "{metre} to a metre"
            );
        }
        let density = density(&square(11_000.0, Unit::Metre), Format::Jpeg).unwrap();
        assert_eq!((density.x, density.unit), (110, Unit::Centimetre));
    }

    #[test]
    fn what_a_format_cannot_count_is_left_out() {
        assert_eq!(density(&square(70_000.0, Unit::Inch), Format::Jpeg), None);
        assert_eq!(density(&square(1e12, Unit::Metre), Format::Png), None);
        assert_eq!(density(&square(0.001, Unit::Metre), Format::Png), None);
        assert_eq!(fractions(&square(1e12, Unit::Inch)), None);
        assert!(!is_said(&square(f64::NAN, Unit::Inch)));
        assert!(!is_said(&square(1.0, Unit::None)));
    }

    #[test]
    fn fractions_are_short_where_they_can_be() {
        let of = |v, unit| fractions(&square(v, unit)).unwrap();
        assert_eq!(of(300.0, Unit::Inch).0, [300, 1]);
        assert_eq!(
            of(11811.0, Unit::Metre),
            ([11811, 100], [11811, 100], Unit::Centimetre)
        );
        assert_eq!(of(0.5, Unit::Inch).0, [50, 100]);
    }
}
