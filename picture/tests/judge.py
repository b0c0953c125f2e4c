"""Says what is in picture files, as Pillow sees it: a judge that shares no code with the writer.

For each file of the command line, lines of "key value": the format and mode of Pillow, the depth, the
pixels (hexadecimal, samples of 16 and 32 bits most significant byte first), and what goes with them.
Pillow makes 8 bits of some deep pictures. Those are decoded here, from what zlib or the file itself gives.
"""

import struct
import sys
import zlib

from PIL import Image, UnidentifiedImageError

COUNTS = {0: 1, 4: 2, 2: 3, 6: 4}  # PNG's colour types: samples to a pixel


def png_chunks(data):
    at = 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (crc,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert crc == zlib.crc32(kind + body), f"the checksum of {kind}"
        yield kind.decode(), body
        at += 12 + length


def paeth(a, b, c):
    distances = [abs(b - c), abs(a - c), abs(a + b - 2 * c)]
    return (a, b, c)[distances.index(min(distances))]


def png_pixels(data):
    chunks = list(png_chunks(data))
    width, height, bits, colour = struct.unpack(">IIBB", chunks[0][1][:10])
    raw = zlib.decompress(b"".join(body for kind, body in chunks if kind == "IDAT"))
    pixel = COUNTS[colour] * bits // 8
    row_bytes = width * pixel
    above, out = bytes(row_bytes), b""
    for y in range(height):
        start = y * (row_bytes + 1)
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + row_bytes])
        for i in range(row_bytes):
            a = row[i - pixel] if i >= pixel else 0
            c = above[i - pixel] if i >= pixel else 0
            b = above[i]
            row[i] = (row[i] + (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]) % 256
        above, out = bytes(row), out + bytes(row)
    return bits, out


def png_said(data):
    """What PNG says beside: the order of its chunks, and its chunks about colour."""
    chunks = list(png_chunks(data))
    names = [kind for kind, _ in chunks]
    yield "chunks", ",".join(n for i, n in enumerate(names) if i == 0 or n != names[i - 1])
    for kind, body in chunks:
        if kind in ("gAMA", "cHRM", "sRGB", "cICP", "pHYs"):
            yield kind, body.hex()


def tiff_tags(data, order):
    """The whole numbers of the first directory, a list for each tag."""
    (at,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, at)
    tags = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(order + "HHI", data, entry)
        code = {3: "H", 4: "I"}.get(kind)
        if code:
            size = struct.calcsize(code) * count
            place = entry + 8 if size <= 4 else struct.unpack_from(order + "I", data, entry + 8)[0]
            tags[tag] = struct.unpack_from(f"{order}{count}{code}", data, place)
    return tags


def tiff_pixels(data, tags, order):
    """Deflated strips, with the horizontal predictor or none."""
    bits, (count,) = tags[258][0], tags[277]
    assert len(tags[258]) == count, "bits for every sample"
    code = {8: "B", 16: "H", 32: "I"}[bits]
    out = b""
    for offset, length in zip(tags[273], tags[279]):
        strip = data[offset : offset + length]
        strip = zlib.decompress(strip)
        values = list(struct.unpack(f"{order}{len(strip) * 8 // bits}{code}", strip))
        if tags[317] == (2,):
            row = tags[256][0] * count
            for i in range(len(values)):
                if i % row >= count:
                    values[i] = (values[i] + values[i - count]) % (1 << bits)
        out += struct.pack(f">{len(values)}{code}", *values)
    return bits, out


def tiff_said(tags):
    yield "sample_format", tags[339][0]
    yield "extra_samples", ",".join(str(v) for v in tags.get(338, ()))
    yield "unit", tags[296][0]


def pnm_pixels(data):
    if data[:2] == b"P7":
        header, body = data.split(b"ENDHDR\n", 1)
        most = int(dict(line.split(b" ", 1) for line in header.split(b"\n")[1:-1])[b"MAXVAL"])
    else:
        _, _, most, body = data.split(b"\n", 3)
        most = int(most)
    return (8 if most < 256 else 16), body


def judge(path):
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"P7":  # Pillow does not read PAM.
        bits, pixels = pnm_pixels(data)
        fields = dict(line.split(b" ", 1) for line in data.split(b"ENDHDR")[0].split(b"\n")[1:-1])
        yield "mode", fields[b"TUPLTYPE"].decode()
        yield "size", f"{int(fields[b'WIDTH'])}x{int(fields[b'HEIGHT'])}"
        yield "bits", bits
        yield "pixels", pixels.hex()
        return
    bits, pixels, said = 8, None, ()
    if data[:4] == b"II*\0":
        tags = tiff_tags(data, "<")
        (bits, pixels), said = tiff_pixels(data, tags, "<"), tiff_said(tags)
    elif data[:4] == b"\x89PNG":
        (bits, pixels), said = png_pixels(data), png_said(data)
    elif data[:1] == b"P":
        bits, pixels = pnm_pixels(data)
    yield from said
    try:
        image = Image.open(path)
    except UnidentifiedImageError:
        # Pillow reads no floats but gray ones, and no gray with alpha in 16 bits.
        image = None
    if image is None:
        assert pixels is not None and bits > 8, "Pillow does not read it"
        yield "bits", bits
        yield "pixels", pixels.hex()
        return
    image.load()
    yield "format", image.format
    yield "mode", image.mode
    yield "size", f"{image.width}x{image.height}"
    if image.format == "JPEG":
        yield "sampling", ",".join(f"{h}x{v}" for _, h, v, _ in image.layer)
    pixels = image.tobytes() if pixels is None else pixels
    if bits == 8:
        assert pixels == image.tobytes(), "Pillow's pixels and those decoded here"
    yield "bits", bits
    yield "pixels", pixels.hex()
    yield from beside(image)


def beside(image):
    """What goes with the pixels."""
    if image.info.get("icc_profile"):
        yield "icc", image.info["icc_profile"].hex()
    if image.info.get("dpi"):
        yield "dpi", ",".join(f"{float(v):.2f}" for v in image.info["dpi"])
    try:
        exif = image.getexif()
    except (struct.error, SyntaxError, ValueError):
        yield "exif", "damaged"
        exif = None
    if exif:
        yield "orientation", exif.get(274)
        yield "make", str(exif.get(271, "")).strip("\0")
        yield "taken", exif.get_ifd(34665).get(36867, "").strip("\0")
        yield "latitude", exif.get_ifd(34853).get(1, "").strip("\0")
    raw = image.info.get("exif")
    if raw and image.format != "TIFF":
        yield "exif", raw.removeprefix(b"Exif\0\0").hex()
    xmp = image.info.get("xmp")
    if xmp:
        yield "xmp", (xmp.encode() if isinstance(xmp, str) else xmp).hex()


for path in sys.argv[1:]:
    print("file", path)
    for key, value in judge(path):
        print(key, value)
