"""Says what TensorBoard finds in a folder of event files: a reader that shares no code with the writer."""

import sys
import time

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0, "tensors": 0})
events.Reload()
tags = events.Tags()
times = []
for tag in tags["scalars"]:
    for event in events.Scalars(tag):
        times.append(event.wall_time)
        print("scalar", tag, event.step, f"{event.value:g}")
for tag in tags["images"]:
    for event in events.Images(tag):
        data = event.encoded_image_string
        kind = "PNG" if data.startswith(b"\x89PNG") else "not PNG"
        print(f"image {tag} {event.step} {event.width}x{event.height} {len(data)} bytes, {kind}")
for tag in tags["tensors"]:
    for event in events.Tensors(tag):
        for text in event.tensor_proto.string_val:
            print("text", tag, event.step, repr(text.decode()))
if times and all(abs(time.time() - t) < 3600 for t in times):
    print("wall time of now")
