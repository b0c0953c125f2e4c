/** The RGBA pixels of a picture file, scaled to width × height if those are given. */
export async function pixelsOf(file, width, height) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name || 'this'} is not a picture that this browser reads`);
  }
  const canvas = new OffscreenCanvas(width ?? bitmap.width, height ?? bitmap.height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingQuality = 'high';
  // What is asked for in another shape is cut to it, from the middle.
  const zoom = Math.max(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const size = [bitmap.width * zoom, bitmap.height * zoom];
  context.drawImage(bitmap, (canvas.width - size[0]) / 2, (canvas.height - size[1]) / 2, ...size);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** Shows RGBA pixels on a canvas, which takes their size. */
export function show(canvas, pixels, width, height) {
  canvas.width = width;
  canvas.height = height;
  const clamped = new Uint8ClampedArray(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  canvas.getContext('2d').putImageData(new ImageData(clamped, width, height), 0, 0);
}
