"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const by = (id) => document.getElementById(id);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const { width, height, scale } = data;

for (const [name, source] of [["small", data.square], ["bicubic", data.bicubic], ["network", data.enlarged]]) {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.append(Object.assign(document.createElement("b"), { textContent: name }));
  const image = Object.assign(new Image(), { src: source, alt: `The square, ${name}`, className: "pixels" });
  figure.append(caption, image);
  by("result").append(figure);
}

// Token groups: a block at a time.
function showBlock() {
  const number = Number(by("block").value);
  const block = data.blocks[number - 1];
  by("block-name").textContent = number;
  by("block-text").textContent = `${block.used} of ${block.centres} centres have tokens; sub-groups of ${block.group}, windows of ${block.window}×${block.window}`;
  by("groups").src = block.groups;
  by("channels").src = block.channels;
  const grid = by("grid");
  const times = 4;
  Object.assign(grid, { width: width * times, height: height * times });
  if (!by("windows").checked) return;
  const draw = grid.getContext("2d");
  draw.strokeStyle = "#ffffffcc";
  // Windows overlap by two pixels; the last one is pushed back to end with the picture.
  const starts = (side) => {
    const count = Math.ceil((side - 2) / (block.window - 2));
    return Array.from({ length: count }, (_, k) => Math.min(k * (block.window - 2), side - block.window));
  };
  for (const top of starts(height)) {
    for (const left of starts(width)) {
      draw.strokeRect(left * times + 0.5, top * times + 0.5, block.window * times - 1, block.window * times - 1);
    }
  }
}
by("block").addEventListener("input", showBlock);
by("windows").addEventListener("change", showBlock);
showBlock();

// Attention: of a token among those that can be asked.
const along = Math.round(Math.sqrt(data.asked.length));
const maps = data.attention.map((a) => ({ block: a.block, place: bytes(a.place), content: bytes(a.content) }));
let [chosen, shown] = [Math.floor(data.asked.length / 2 + along / 2), 0];
const square = new Image();
for (const [i, map] of maps.entries()) {
  const label = document.createElement("label");
  const button = Object.assign(document.createElement("input"), { type: "radio", name: "attention", value: i, checked: i === 0 });
  button.addEventListener("change", () => { shown = i; showToken(); });
  label.append(button, `block ${map.block + 1}`);
  by("attention-block").append(label);
}

function heat(canvas, values) {
  Object.assign(canvas, { width, height });
  const draw = canvas.getContext("2d");
  const pixels = draw.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const t = Math.sqrt(values[i] / 255); // small shares are seen
    pixels.data.set([255 * Math.min(1, 2 * t), 255 * Math.max(0, 1.6 * t - 0.6), 90 * t * (1 - t) * 4, 255], i * 4);
  }
  draw.putImageData(pixels, 0, 0);
}

function showToken() {
  const token = data.asked[chosen];
  const [x, y] = [token % width, Math.floor(token / width)];
  const times = 4;
  const ask = by("ask");
  Object.assign(ask, { width: width * times, height: height * times });
  const draw = ask.getContext("2d");
  draw.imageSmoothingEnabled = false;
  draw.drawImage(square, 0, 0, width * times, height * times);
  for (const other of data.asked) {
    draw.fillStyle = "#ffffffa0";
    draw.fillRect((other % width) * times + 1, Math.floor(other / width) * times + 1, 2, 2);
  }
  draw.lineWidth = 2;
  draw.strokeStyle = "#fff";
  draw.strokeRect(x * times - 4, y * times - 4, times + 8, times + 8);
  draw.strokeStyle = "#d7191c";
  draw.strokeRect(x * times - 2, y * times - 2, times + 4, times + 4);
  const map = maps[shown];
  const part = (all) => all.subarray(chosen * width * height, (chosen + 1) * width * height);
  heat(by("place"), part(map.place));
  heat(by("content"), part(map.content));
  const owner = bytes(data.blocks[map.block].owner)[token];
  by("token").textContent = `token at column ${x}, row ${y}; centre ${owner}`;
}

by("ask").addEventListener("click", (event) => {
  const box = by("ask").getBoundingClientRect();
  const column = Math.floor((event.clientX - box.left) / box.width * along);
  const row = Math.floor((event.clientY - box.top) / box.height * along);
  chosen = Math.min(row, along - 1) * along + Math.min(column, along - 1);
  showToken();
});
by("ask").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!step) return;
  event.preventDefault();
  const inside = (n) => Math.max(0, Math.min(along - 1, n));
  const [column, row] = [inside(chosen % along + step[0]), inside(Math.floor(chosen / along) + step[1])];
  chosen = row * along + column;
  showToken();
});
square.addEventListener("load", showToken);
square.src = data.square;

// What each part gives.
const most = Math.max(...data.parts.map(([, levels]) => levels));
for (const [name, levels] of data.parts) {
  const row = by("parts").tBodies[0].insertRow();
  row.insertCell().textContent = name;
  row.insertCell().textContent = levels.toFixed(2);
  const bar = document.createElement("span");
  bar.style.width = `${100 * levels / most}%`;
  row.insertCell().append(bar);
}

// What a patch depends on.
if (data.attribution) {
  const { patch: [x, y, side], picture, index } = data.attribution;
  by("patch").src = data.enlarged;
  by("map").src = picture;
  by("index").textContent = `diffusion index ${index.toFixed(2)}`;
  const share = (n, of) => `${100 * n / (of * scale)}%`;
  Object.assign(by("frame").style, { left: share(x, width), top: share(y, height), width: share(side, width), height: share(side, height) });
} else {
  by("attribution").hidden = true;
}
